"""Checks whether the NVIDIA driver supports what is installed."""

from __future__ import annotations

from collections.abc import Iterator

from diagnostics.accelerator import accelerator_of
from diagnostics.environment import Environment
from diagnostics.finding import Finding, Fix, Level
from diagnostics.finding_builders import as_root, by_hand, finding
from diagnostics.records import Driver
from diagnostics.registry import Skipped, check, need
from diagnostics.tables import drivers
from diagnostics.torch_build_choice import driver_version, has_gpu, install_best, newest_cuda

BROKEN_CUDA = ("deep-cuda*", "deep-nccl", "deep-matmul:cuda*", "deep-onnxruntime:CUDA*")
CHAIN = (
    "container-no-gpus",
    "container-lost-devices",
    "container-capabilities",
    "wsl-libcuda",
    "no-driver",
    "kernel-module-not-loaded",
    "driver-library-mismatch",
    "compat-803",
    "compat-804",
    "fabric-manager-802",
    "cuda-unknown-999",
    "driver-too-old",
    "cuda-init-failed",
    "cvd-bad-index",
)
"""Faults of the driver from cause to effect: each one explains all that come after it."""


def consequences_of(code: str) -> tuple[str, ...]:
    """Return the codes of findings that disappear once this driver fault is cured."""
    return (*CHAIN[CHAIN.index(code) + 1 :], *BROKEN_CUDA)


def driver_of(environment: Environment) -> Driver:
    """Return the driver's facts. Raises Skipped when this machine has no NVIDIA hardware or software."""
    driver = need(environment.driver, "the GPU was not probed")
    if not has_gpu(environment) and not (
        driver.cuda_library or driver.nvml_library or driver.device_files or driver.kernel_loaded
    ):
        raise Skipped("no NVIDIA device and no driver here")
    return driver


@check("no-driver", "An NVIDIA GPU has its driver", "driver")
def no_driver(environment: Environment) -> Iterator[Finding]:
    """There is an NVIDIA device but no driver; without a device this is information only.

    Why: `Found no NVIDIA driver on your system`. Cure: install the driver, or in a container pass
    the GPU through.
    """
    driver = need(environment.driver, "the GPU was not probed")
    present = driver.cuda_library or driver.kernel_version or driver.device_files
    if present or driver.nvml_library or environment.gpus:
        return
    if not driver.pci_devices:
        torch = environment.torch
        if torch and accelerator_of(torch).kind in ("rocm", "xpu"):
            raise Skipped(f"torch is a {accelerator_of(torch)} build")
        yield finding(
            Level.INFO,
            "no NVIDIA GPU here: everything runs on the CPU",
            evidence={"PCI bus": "no NVIDIA display controller", "libcuda.so.1": "not found"},
        )
        return
    torch = environment.torch
    branch = drivers.branch_of(torch.cuda) if torch and torch.cuda else None
    yield finding(
        Level.ERROR,
        f"{driver.pci_devices} NVIDIA device(s) on the PCI bus, but no driver",
        cause="the driver is not installed, or its module was not built for this kernel",
        evidence={"PCI bus": f"{driver.pci_devices} NVIDIA", "libcuda.so.1": "not found"},
        fixes=(install_driver(environment, branch),),
        explains=consequences_of("no-driver"),
    )


def install_driver(environment: Environment, branch: int | None) -> Fix:
    """Return the command that installs a driver of this branch on this distribution."""
    number = branch or drivers.branch_of("13.0")
    if environment.system.container:
        return by_hand("docker run --gpus all ...", "passes the host's driver into the container")
    if "debian" in environment.system.distro_family:
        return as_root(
            f"sudo apt install nvidia-driver-{number}", "installs the driver; restart afterwards"
        )
    if "fedora" in environment.system.distro_family or "rhel" in environment.system.distro_family:
        return as_root("sudo dnf install nvidia-driver", "installs the driver; restart afterwards")
    return by_hand(f"install NVIDIA driver {number} or newer", "see https://www.nvidia.com/drivers")


@check("driver-too-old", "The driver is new enough for torch", "driver")
def driver_too_old(environment: Environment) -> Iterator[Finding]:
    """The driver is below the floor of the CUDA major version that torch was built for.

    Why: `The NVIDIA driver on your system is too old`. Cure: a newer driver, or the newest torch
    build that this driver can run. A lower minor version within the major works.
    """
    driver_of(environment)
    torch = need(environment.torch, "torch is not installed")
    if not torch.cuda:
        raise Skipped("torch is built without CUDA")
    version, newest = driver_version(environment), newest_cuda(environment)
    runs = drivers.runs(version, torch.cuda) if version else None
    supported = newest is not None and newest[0] >= int(torch.cuda.split(".")[0])
    # A libcuda that starts decides: the compatibility package runs newer CUDA on an older module.
    works = environment.driver is not None and environment.driver.cuda_code == 0 and supported
    runs = works or (supported if runs is None and newest is not None else runs)
    if runs is None:
        raise Skipped("the driver's version is not known")
    if runs:
        return
    floor = drivers.floor_of(torch.cuda)
    found = version or f"of CUDA {newest[0]}.{newest[1]}" if newest else version
    yield finding(
        Level.ERROR,
        f"the driver ({found}) is too old for torch {torch.version}",
        cause=f"CUDA {torch.cuda} needs driver {floor} or newer",
        evidence={
            "driver": version or "unknown",
            "newest CUDA of the driver": ".".join(map(str, newest)) if newest else "unknown",
            "torch/version.py": f"cuda {torch.cuda}",
        },
        fixes=(
            *install_best(environment, "the newest torch that this driver can run"),
            install_driver(environment, drivers.branch_of(torch.cuda)),
        ),
        explains=consequences_of("driver-too-old"),
    )


@check("driver-library-mismatch", "Driver module and library agree", "driver")
def library_mismatch(environment: Environment) -> Iterator[Finding]:
    """The loaded kernel module and the installed driver libraries have different versions.

    Why: the driver was updated without a restart: `Driver/library version mismatch`. Cure: restart,
    or reload the modules.
    """
    driver = driver_of(environment)
    if driver.nvml_code != 18:
        return
    reload = "sudo rmmod nvidia_uvm nvidia_drm nvidia_modeset nvidia && sudo modprobe nvidia"
    inside = by_hand("docker restart ...", "mounts the libraries of the running driver")
    yield finding(
        Level.ERROR,
        "the NVIDIA kernel module and the driver's libraries are of different versions",
        cause="the driver was updated and the old module is still loaded",
        evidence={
            driver.nvml_library or "nvmlInit": "return code 18",
            "/proc/driver/nvidia/version": driver.kernel_version or "unreadable",
        },
        fixes=(
            (inside,)
            if environment.system.container
            else (
                as_root("sudo reboot", "loads the new module"),
                as_root(reload, "without restart"),
            )
        ),
        explains=consequences_of("driver-library-mismatch"),
    )
