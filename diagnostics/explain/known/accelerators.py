"""Messages of AMD, Intel, Apple and Jetson devices and of GPUs newer than the build tools."""

from __future__ import annotations

from diagnostics.explain.row import do, pip, root, row, rows, run, sh
from diagnostics.finding import Level

_CAPABILITY = (
    r"which is of cuda capability (?P<have>\d+\.\d+)\.\s*(?:Minimum and Maximum|Maximum) cuda "
    r"capability supported by this version of PyTorch is\s*\(?(?P<low>\d+\.\d+)\)? - "
    r"\(?(?P<high>\d+\.\d+)"
)


def _position(values: dict[str, str]) -> str:
    """Where a GPU's capability is: `older`, `newer` or `beyond` the build's, or within it."""
    have, low, high = (
        tuple(int(part) for part in values[name].split(".")) for name in ("have", "low", "high")
    )
    if have < low:
        return "older"
    if have <= high:
        return "within"
    return "newer" if have[0] == high[0] else "beyond"


ROWS = rows(
    "accelerators",
    row(
        "triton-ptxas",
        r"ptxas fatal\s*: Value '(?P<sm>sm_\w+)' is not defined for option 'gpu-name'",
        r"ptxas[^\n]{0,80}Unsupported \.version (?P<ptx>[\d.]+); current version is",
        summary="Triton's own ptxas is older than the GPU ({sm}).",
        cause="ptxas translates Triton's kernels; the copy inside the triton package comes from a "
        "CUDA release that does not know this architecture (GB10 and Thor need CUDA 13's).",
        cures=(
            sh(
                "export TRITON_PTXAS_PATH=/usr/local/cuda/bin/ptxas",
                "takes the ptxas of an installed CUDA 13 toolkit",
            ),
            pip(
                "install --upgrade torch torchvision",
                "brings a newer torch together with the newer Triton that belongs to it",
            ),
            do("torch.compile(model, backend='aot_eager'), or no torch.compile", "does without"),
        ),
        explains=("inductor", "triton-missing"),
        links=("https://github.com/triton-lang/triton/issues/8539",),
    ),
    row(
        "triton-kernel-image",
        r"Triton Error \[CUDA\]: (?P<what>device kernel image is invalid|no kernel image is available|"
        r"invalid device context|out of resource[^\n]{0,80}|an illegal memory access[^\n]{0,40}|"
        r"[^\n]{1,80})",
        r"OutOfResources: out of resource: (?P<what>[^\n]{1,120})",
        summary="A Triton kernel did not run: {what}",
        cause="An invalid image means that kernel cache, driver and ptxas do not belong together; out of "
        "resource means that the kernel wants more shared memory than this GPU has.",
        cures=(
            sh(
                "rm -r ~/.triton/cache ${{TORCHINDUCTOR_CACHE_DIR:-/tmp/torchinductor_$USER}}",
                "makes the kernels anew",
            ),
            do("smaller block sizes or num_stages in the kernel's configuration", "needs less"),
            do("torch.compile(model, backend='aot_eager')", "does without Triton"),
        ),
        explains=("inductor", "illegal-access", "no-kernel-image"),
    ),
    row(
        "capability-newer",
        _CAPABILITY,
        summary="The GPU's capability {have} is above what this torch names ({high}); it usually runs.",
        cause="Code for 12.0 runs on 12.1 as well: within one major number capabilities are compatible "
        "upwards. Only packages that compile for the exact number have trouble.",
        cures=(pip("install --upgrade torch torchvision", "moves torch to one that names it"),),
        level=Level.INFO,
        when=lambda values: _position(values) == "newer",
    ),
    row(
        "capability-older",
        _CAPABILITY,
        summary="The GPU's capability {have} is below what this torch was built for ({low} to {high}).",
        cause="Builds for CUDA 12.8 and 13 begin at 7.5: Maxwell, Pascal and Volta need CUDA 12.6's.",
        cures=(
            pip(
                'install "torch==2.14.*" torchvision '
                "--index-url https://download.pytorch.org/whl/cu126",
                "takes the last known series for CUDA 12.6, which has code for old GPUs",
            ),
        ),
        when=lambda values: _position(values) == "older",
        explains=("no-kernel-image", "arch-too-new"),
    ),
    row(
        "capability-beyond",
        _CAPABILITY,
        summary="This torch has no code for the GPU's capability {have} (it ends at {high}).",
        cause="The GPU's generation is newer than the build.",
        cures=(pip("install --upgrade torch torchvision", "moves torch to one for this GPU"),),
        when=lambda values: _position(values) == "beyond",
        explains=("no-kernel-image", "arch-too-new"),
    ),
    row(
        "nvcc-arch",
        r"nvcc fatal\s*: Unsupported gpu architecture '(?P<arch>compute_\w+)'",
        summary="This CUDA toolkit's nvcc does not know {arch}.",
        cause="The toolkit is older than the GPU (compute_120 needs 12.8, compute_121 13.0), or so "
        "new that it dropped an old one (13.0 dropped 5.x to 7.0).",
        cures=(
            sh("nvcc --version; echo $CUDA_HOME $TORCH_CUDA_ARCH_LIST", "shows what is used"),
            sh(
                "export CUDA_HOME=/usr/local/cuda-13.0 PATH=/usr/local/cuda-13.0/bin:$PATH",
                "uses a toolkit that knows the GPU, of torch's own CUDA major version",
            ),
            do("export TORCH_CUDA_ARCH_LIST=12.0 and build again", "builds for your GPU alone"),
        ),
        explains=("extension-build", "wheel-build"),
    ),
    row(
        "unknown-arch-flag",
        r"Unknown CUDA arch \((?P<arch>[\w.+]+)\) or GPU not supported",
        summary="torch's build tools do not know the GPU architecture {arch}.",
        cause="TORCH_CUDA_ARCH_LIST, or the GPU itself, is newer than this torch.",
        cures=(
            do("export TORCH_CUDA_ARCH_LIST with an architecture that this torch knows", "builds"),
            run("{python} -c 'import torch; print(torch.cuda.get_arch_list())'", "lists them"),
        ),
        explains=("extension-build",),
    ),
    row(
        "jetson-nvml",
        r"NVML_SUCCESS == (?P<what>[^\n]{1,80}?) INTERNAL ASSERT FAILED",
        summary="The GPU ran out of memory, and the report about it failed.",
        cause="When an allocation fails, torch asks NVML who uses the memory; on Jetson and on MIG "
        "slices NVML cannot tell, and the assertion hides the real error: out of memory.",
        cures=(
            do("a smaller batch, a smaller model, or float16", "needs less memory"),
            root(
                "free -h; sudo sh -c 'sync; echo 3 > /proc/sys/vm/drop_caches'",
                "on Jetson the CPU and the GPU share the memory: frees the file cache",
            ),
            sh("nvidia-smi -L", "lists MIG slices: CUDA_VISIBLE_DEVICES must name one by its UUID"),
        ),
        explains=("cuda-oom",),
        links=("https://github.com/pytorch/pytorch/issues/185240",),
    ),
    row(
        "jetson-nvmap",
        r"NvMap(?:MemAlloc|MemHandleAlloc)\w*:?(?: \d+)? error 12",
        summary="The Jetson's shared memory is full.",
        cause="CPU and GPU use the same memory, and the allocation found no room for a whole block.",
        cures=(
            do("a smaller batch or model; stop the desktop (init 3)", "frees memory"),
            root(
                "sudo sh -c 'sync; echo 3 > /proc/sys/vm/drop_caches'",
                "frees the file cache, which takes part in the same memory",
            ),
        ),
        explains=("cuda-oom", "jetson-nvml", "cublas-status"),
    ),
    row(
        "hip-invalid-function",
        r"HIP error: (?:invalid device function|no kernel image is available|the operation cannot "
        r"be performed)",
        r"hipErrorNoBinaryForGpu",
        r"hipErrorInvalidDeviceFunction",
        r"rocBLAS error: Cannot read [^\n]{0,300}TensileLibrary",
        r"HSA_STATUS_ERROR_INVALID_ISA",
        summary="This ROCm build has no code for the AMD GPU.",
        cause="The wheels are built for a list of architectures (gfx...), and the card is not "
        "among them; consumer cards and integrated GPUs often are near relatives of one that is.",
        cures=(
            run(
                "{python} -c 'import torch; print(torch.cuda.get_arch_list(), "
                "torch.cuda.get_device_properties(0).gcnArchName)'",
                "shows what was built and what the card is",
            ),
            sh(
                "export HSA_OVERRIDE_GFX_VERSION=11.0.0",
                "runs code of a near relative: 10.3.0 for RDNA 2, 11.0.0 for RDNA 3, 12.0.0 for 4",
            ),
            do("take the wheels of a newer ROCm release", "adds architectures (gfx1151, gfx120x)"),
        ),
        links=("https://github.com/pytorch/pytorch/issues/164346",),
    ),
    row(
        "hip-no-device",
        r"No HIP GPUs are available",
        r"hipErrorNoDevice",
        r"no ROCm-capable device is detected",
        r"Unable to open /dev/kfd read-write: (?P<why>[^\n]{1,60})",
        summary="ROCm sees no AMD GPU ({why}).",
        cause="The user may not open /dev/kfd and /dev/dri (groups render and video), a container "
        "lacks the devices, or HIP_VISIBLE_DEVICES hides them.",
        cures=(
            root("sudo usermod -aG render,video $USER", "allows it, after the next login"),
            do("docker run --device /dev/kfd --device /dev/dri --group-add video ...", "in Docker"),
            sh("unset HIP_VISIBLE_DEVICES ROCR_VISIBLE_DEVICES; rocminfo | head", "shows them"),
        ),
    ),
    row(
        "hip-oom",
        r"HIP out of memory\. Tried to allocate (?P<want>[\d.]+ \w+)",
        summary="The AMD GPU's memory is full (another {want} was asked for).",
        cause="Model, activations, gradients and optimizer state do not fit.",
        cures=(
            do("a smaller batch with gradient accumulation, or autocast", "lowers the peak"),
            sh("export PYTORCH_ALLOC_CONF=expandable_segments:True", "keeps memory in one piece"),
            sh("rocm-smi --showmeminfo vram", "shows how much is used"),
        ),
    ),
    row(
        "xpu-not-built",
        r"Torch not compiled with XPU enabled",
        r"torch\.xpu\.is_available\(\) is False",
        r"Distributed package doesn't have XCCL built in",
        summary="This torch was built without support for Intel GPUs (XPU).",
        cause="The default wheels are for CUDA or the CPU; Intel's have an index of their own.",
        cures=(
            pip(
                "install --force-reinstall torch torchvision --index-url "
                "https://download.pytorch.org/whl/xpu",
                "replaces torch by the build for Intel GPUs, which is what was asked for",
            ),
            do('use device = "cpu"', "runs without a GPU"),
        ),
    ),
    row(
        "xpu-device-lost",
        r"UR_RESULT_ERROR_DEVICE_LOST",
        summary="The Intel GPU stopped answering.",
        cause="The driver reset the card: a kernel ran too long, memory ran out, or the driver is "
        "older than the build asks for.",
        cures=(
            do("install Intel's newest GPU driver (compute-runtime, Level Zero)", "mends most"),
            do("a smaller batch", "shows whether memory is the cause"),
            root("sudo dmesg | grep -i -e xe -e i915 | tail", "shows the driver's own report"),
        ),
        links=("https://github.com/pytorch/pytorch/issues/190972",),
    ),
    row(
        "xpu-oom",
        r"UR_RESULT_ERROR_OUT_OF_(?P<what>DEVICE_MEMORY|RESOURCES|HOST_MEMORY)",
        r"XPU out of memory\. Tried to allocate (?P<want>[\d.]+ \w+)",
        summary="The Intel GPU's memory is full.",
        cause="Model, activations and gradients do not fit; one allocation cannot exceed 4 GB on "
        "some cards.",
        cures=(do("a smaller batch, or bfloat16 autocast", "needs less"),),
        explains=("xpu-device-lost",),
    ),
    row(
        "xpu-loader-version",
        r"version `?'?LIBUR_LOADER_(?P<want>[\d.]+)'? not found \(required by (?P<file>[^)\n]+)\)",
        r"libsycl\.so\.\d+: (?:undefined symbol|version)",
        summary="An oneAPI runtime of another version was found before torch's own ({want}).",
        cause="setvars.sh puts a system-wide oneAPI on the search path; torch's XPU wheels bring "
        "their own runtime.",
        cures=(
            do("a shell in which setvars.sh was not sourced", "uses torch's own runtime"),
            sh("unset LD_LIBRARY_PATH", "takes the system's oneAPI off the path"),
        ),
    ),
    row(
        "mps-not-here",
        r"Could not run 'aten::\w+(?:\.\w+)?' with arguments from the 'MPS' backend",
        r"The MPS backend is supported on MacOS 1[2-4]",
        r"MPS backend not available",
        summary="There is no Apple GPU backend here.",
        cause="MPS works on macOS with Apple silicon only, with a native arm64 Python.",
        cures=(
            do(
                'device = "mps" if torch.backends.mps.is_available() else "cpu"',
                "asks before it uses it",
            ),
            run("{python} -c 'import platform; print(platform.machine())'", "must print arm64"),
        ),
        explains=("backend-missing-op",),
    ),
    row(
        "mps-float64",
        r"Cannot convert a MPS Tensor to float64 dtype",
        r"Trying to convert Double to the MPS backend",
        summary="Apple's GPU has no float64.",
        cause="NumPy arrays are float64 by default, and Metal computes in float32 at most.",
        cures=(
            do("x.float().to('mps'), torch.from_numpy(a.astype(np.float32))", "converts first"),
        ),
    ),
    row(
        "npu-name",
        r"privateuseone device type at start of device string: (?P<name>\w+)",
        summary="torch knows no device called {name}.",
        cause="It is misspelt (the names are cuda, cpu, mps, xpu, ...; AMD's GPUs are called cuda), "
        "or it comes with a plug-in that was not imported (npu: torch_npu, hpu: "
        "habana_frameworks.torch).",
        cures=(
            do("import the plug-in before the name is used; gpu is spelt cuda", "registers it"),
        ),
    ),
    row(
        "unplugged-backend",
        r"No module named 'torch\.(?P<name>privateuseone|hpu|npu|mtia|maia)'",
        summary="The device {name} has no module in this torch.",
        cause="Its backend comes with a plug-in package that was not imported.",
        cures=(do("import the plug-in before the device is used", "registers the backend"),),
    ),
    row(
        "mig-uuid",
        r"CUDA error: invalid device ordinal[\s\S]{0,600}?MIG-",
        r"MIG mode is enabled, but no MIG devices",
        summary="The GPU is cut into MIG slices and none was chosen.",
        cause="With MIG on, CUDA_VISIBLE_DEVICES must name a slice by its UUID; a process sees one.",
        cures=(sh("nvidia-smi -L", "lists the slices' UUIDs for CUDA_VISIBLE_DEVICES"),),
        explains=("invalid-device-ordinal",),
    ),
)
