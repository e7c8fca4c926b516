"""Messages of the NVIDIA driver, its kernel module and containers."""

from __future__ import annotations

from diagnostics.explain.row import Groups, do, pip, root, row, rows, run, sh
from diagnostics.finding import Level
from diagnostics.tables.drivers import from_api


def _cuda_version(values: Groups) -> dict[str, str]:
    major, minor = from_api(int(values["api"])) if values.get("api") else (0, 0)
    return {"cuda": f"{major}.{minor}" if major else "unknown", "variant": f"cu{major}{minor}"}


ROWS = rows(
    "driver",
    row(
        "no-driver",
        r"Found no NVIDIA driver on your system",
        r"CUDA driver initialization failed, you might not have a CUDA gpu",
        summary="No NVIDIA driver was found, and the program asked for a GPU.",
        cause="This machine (or container) has no NVIDIA GPU, or its driver is not visible here.",
        cures=(
            do('use device = "cuda" if torch.cuda.is_available() else "cpu"', "runs without a GPU"),
            root("sudo apt install nvidia-driver-580", "installs a driver where there is a GPU"),
            do("docker run --gpus all ...", "makes the GPU visible inside a container"),
        ),
    ),
    row(
        "driver-too-old",
        r"The NVIDIA driver on your system is too old \(found version (?P<api>\d+)\)",
        r"CUDA driver version is insufficient for CUDA runtime version",
        summary="The NVIDIA driver is too old for this build of torch (driver's CUDA: {cuda}).",
        cause="The build needs a newer CUDA than the driver brings: CUDA 13 needs driver 580, "
        "CUDA 12 "
        "needs 525, CUDA 11 needs 450.",
        cures=(
            root("sudo apt install nvidia-driver-580", "brings a driver for CUDA 13"),
            pip(
                'install "torch==2.14.*" torchvision '
                "--index-url https://download.pytorch.org/whl/cu126",
                "or takes the last build for CUDA 12, which a driver from 525 on can run",
            ),
        ),
        derive=_cuda_version,
    ),
    row(
        "driver-library-mismatch",
        r"Driver/library version mismatch",
        summary="The driver's libraries and its kernel module have different versions.",
        cause="The driver was updated while the old kernel module is still loaded.",
        cures=(
            root("sudo reboot", "loads the new module"),
            root(
                "sudo rmmod nvidia_uvm nvidia_drm nvidia_modeset nvidia && sudo modprobe nvidia",
                "or changes the module without a restart, when nothing uses the GPU",
            ),
        ),
    ),
    row(
        "compat-803",
        r"Error 803: system has unsupported display driver / cuda driver combination",
        summary="A CUDA compatibility library does not fit the kernel driver.",
        cause="A libcuda.so.1 from a `compat` folder is found before the driver's own.",
        cures=(
            sh(
                "echo $LD_LIBRARY_PATH; ldconfig -p | grep libcuda.so.1", "shows which one is found"
            ),
            root("sudo rm -r /usr/local/cuda/compat", "removes it in a container"),
        ),
        links=("https://github.com/vllm-project/vllm/issues/15335",),
    ),
    row(
        "compat-804",
        r"forward compatibility was attempted on non supported HW",
        summary="Forward compatibility libraries are in use, but this GPU does not support them.",
        cause="The `compat` package works on datacenter GPUs only.",
        cures=(
            sh("unset LD_LIBRARY_PATH", "leaves the compatibility libraries out"),
            root("sudo apt install nvidia-driver-580", "or brings a driver that needs none"),
        ),
    ),
    row(
        "fabric-manager-802",
        r"Error 802: system not yet initialized",
        summary="The GPUs' NVSwitch fabric is not running.",
        cause="On HGX and DGX machines the fabric manager must run, in the driver's version.",
        cures=(root("sudo systemctl enable --now nvidia-fabricmanager", "starts it"),),
    ),
    row(
        "cuda-unknown-999",
        r"CUDA unknown error - this may be due to an incorrectly set up environment",
        summary="The CUDA driver does not start.",
        cause="Often the module nvidia_uvm is missing or broken after a suspend, or "
        "CUDA_VISIBLE_DEVICES was changed after the program had started.",
        cures=(
            root(
                "sudo modprobe -r nvidia_uvm && sudo modprobe nvidia_uvm", "loads the module again"
            ),
        ),
    ),
    row(
        "kernel-module-not-loaded",
        r"couldn't communicate with the NVIDIA driver",
        summary="The NVIDIA kernel module is not loaded.",
        cause="After a kernel update it was not built again, or Secure Boot refuses it.",
        cures=(
            root("sudo dkms autoinstall && sudo modprobe nvidia", "builds and loads it"),
            root("sudo mokutil --sb-state", "shows whether Secure Boot is on"),
        ),
    ),
    row(
        "container-lost-devices",
        r"Failed to initialize NVML: Unknown Error",
        summary="The container has lost its GPU devices.",
        cause="`systemctl daemon-reload` on the host takes the devices away from running containers.",
        cures=(
            do("restart the container", "brings the devices back"),
            do(
                'set "exec-opts": ["native.cgroupdriver=cgroupfs"] in /etc/docker/daemon.json',
                "keeps it from happening again",
            ),
        ),
        links=("https://github.com/NVIDIA/nvidia-container-toolkit/issues/251",),
    ),
    row(
        "container-no-gpus",
        r"could not select device driver \"\"? ?with capabilities: \[\[gpu\]\]",
        r"nvidia-smi: command not found",
        r"exec: \"nvidia-smi\": executable file not found",
        summary="No GPU is visible in this container or machine.",
        cause="The container was started without `--gpus`, or the NVIDIA container toolkit is "
        "missing.",
        cures=(
            do("docker run --gpus all ...", "gives the container the GPUs"),
            root("sudo apt install nvidia-container-toolkit", "installs the toolkit on the host"),
        ),
    ),
    row(
        "container-capabilities",
        r"CUDA Version: +N/A",
        summary="nvidia-smi works, but CUDA's driver library is not here.",
        cause="The container was given the capability `utility` only, not `compute`.",
        cures=(
            do(
                "docker run -e NVIDIA_DRIVER_CAPABILITIES=compute,utility ...",
                "mounts the library",
            ),
        ),
    ),
    row(
        "wsl-libcuda",
        r"libcuda\.so: cannot open shared object file",
        r"libcuda\.so\.1: cannot open shared object file",
        summary="The driver library libcuda.so is not found.",
        cause="No driver is installed here, a container lacks the compute capability, or, under WSL, "
        "/usr/lib/wsl/lib is not on the search path.",
        cures=(
            sh(
                "export LD_LIBRARY_PATH=/usr/lib/wsl/lib:$LD_LIBRARY_PATH",
                "finds it under WSL",
            ),
            do(
                "docker run -e NVIDIA_DRIVER_CAPABILITIES=compute,utility ...",
                "mounts it in a container",
            ),
        ),
        explains=("cudnn-sublib",),
    ),
    row(
        "gpu-fell-off",
        r"GPU has fallen off the bus",
        r"NVRM: Xid \([^)]*\): 79",
        summary="The GPU no longer answers.",
        cause="Hardware, power or heat: the driver has lost the card (Xid 79).",
        cures=(root("sudo reboot", "brings it back; if it recurs, check power and cooling"),),
    ),
    row(
        "ecc",
        r"uncorrectable ECC error encountered",
        summary="The GPU's memory has an error that could not be corrected.",
        cause="A memory cell failed; the results of this run are lost.",
        cures=(root("sudo nvidia-smi -r -i 0", "resets the card; if it recurs, have it replaced"),),
    ),
    row(
        "smi-banner",
        r"KMD Version: (?P<driver>[\d.]+)\s+CUDA UMD Version: (?P<cuda>[\d.]+)",
        summary="The driver is {driver}, its CUDA version {cuda}.",
        cause="From driver 610 on nvidia-smi words its banner differently; tools that read it say "
        "that there is no CUDA.",
        cures=(run("nvidia-smi --query-gpu=driver_version --format=csv", "asks for the version"),),
        level=Level.INFO,
    ),
)
