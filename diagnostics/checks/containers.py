"""Checks whether the container, or WSL, passes the GPU through."""

from __future__ import annotations

from collections.abc import Iterator

from diagnostics.checks.driver import consequences_of
from diagnostics.environment import Environment
from diagnostics.finding import Finding, Level
from diagnostics.finding_builders import as_root, by_hand, export, finding
from diagnostics.records import Driver
from diagnostics.registry import Skipped, check, need


def _inside(environment: Environment) -> Driver:
    if not environment.system.container:
        raise Skipped("not in a container")
    return need(environment.driver, "the GPU was not probed")


def _wants_gpu(environment: Environment) -> bool:
    """Return True for an image made for GPUs, or when the container sees a GPU on the host's bus."""
    driver = environment.driver
    return "NVIDIA_VISIBLE_DEVICES" in environment.variables or bool(driver and driver.pci_devices)


@check("container-no-gpus", "The container was given its GPUs", "driver")
def no_gpus(environment: Environment) -> Iterator[Finding]:
    """A GPU image or a GPU host, but no NVIDIA device files in the container.

    Why: it was started without `--gpus`, so is_available() is False. Cure: `docker run --gpus all`
    with the NVIDIA container toolkit.
    """
    driver = _inside(environment)
    if driver.device_files or environment.gpus or not _wants_gpu(environment):
        return
    visible = environment.variables.get("NVIDIA_VISIBLE_DEVICES", "not set")
    on_bus = driver.pci_devices > 0
    yield finding(
        Level.ERROR if on_bus else Level.INFO,
        "this container has no NVIDIA devices",
        cause="NVIDIA_VISIBLE_DEVICES hides them"
        if visible in ("void", "", "none")
        else "it was started without --gpus",
        evidence={"/dev": "no nvidia files", "NVIDIA_VISIBLE_DEVICES": visible or "(empty)"},
        fixes=(
            by_hand("docker run --gpus all ...", "needs the nvidia-container-toolkit on the host"),
        ),
        explains=consequences_of("container-no-gpus"),
    )


@check("container-capabilities", "The container was given the compute libraries", "driver")
def capabilities(environment: Environment) -> Iterator[Finding]:
    """NVML is in the container, but libcuda is not.

    Why: NVIDIA_DRIVER_CAPABILITIES lacks `compute`: nvidia-smi works, but torch reports no GPU.
    Cure: `compute,utility`.
    """
    driver = _inside(environment)
    asked = environment.variables.get("NVIDIA_DRIVER_CAPABILITIES", "")
    if not driver.nvml_library or driver.cuda_library or driver.probe_failure:
        return
    if driver.cuda_code >= 0 or driver.nvml_code != 0 or environment.quick:
        return
    yield finding(
        Level.ERROR,
        "the container has NVIDIA's monitoring library but no libcuda",
        cause="NVIDIA_DRIVER_CAPABILITIES does not name compute",
        evidence={
            "NVIDIA_DRIVER_CAPABILITIES": asked or "not set",
            "libcuda.so.1": "not found",
            "libnvidia-ml.so.1": driver.nvml_library,
        },
        fixes=(
            by_hand(
                "docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility ...",
                "mounts libcuda as well",
            ),
        ),
        explains=consequences_of("container-capabilities"),
    )


@check("container-lost-devices", "The container still has its devices", "driver")
def lost_devices(environment: Environment) -> Iterator[Finding]:
    """NVML fails with an unknown error inside a container.

    Why: `systemctl daemon-reload` on the host revoked access to the devices: `Failed to initialize
    NVML: Unknown Error`. Cure: restart the container; cgroupfs driver or explicit --device.
    """
    driver = _inside(environment)
    if driver.nvml_code != 999:
        return
    yield finding(
        Level.ERROR,
        "the container has lost access to its NVIDIA devices",
        cause="systemd on the host rewrote the container's device rules",
        evidence={"nvmlInit": 999, "container": environment.system.container},
        fixes=(
            by_hand("docker restart ...", "gives them back until the next daemon-reload"),
            by_hand(
                "docker run --gpus all --device /dev/nvidiactl --device /dev/nvidia-uvm "
                "--device /dev/nvidia0 ...",
                "keeps them for good",
            ),
        ),
        explains=consequences_of("container-lost-devices"),
        links=("https://github.com/NVIDIA/nvidia-container-toolkit/issues/1227",),
    )


@check("wsl-libcuda", "WSL's libcuda is found", "driver")
def wsl(environment: Environment) -> Iterator[Finding]:
    """Under WSL, libcuda is in /usr/lib/wsl/lib and the loader does not find it.

    Why: `libcuda.so: cannot open shared object file` from cuDNN. Cure: add the folder to
    LD_LIBRARY_PATH or to the loader's configuration.
    """
    if not environment.system.wsl:
        raise Skipped("not WSL")
    driver = need(environment.driver, "the GPU was not probed")
    folder = "/usr/lib/wsl/lib"
    if "libcuda.so.1" not in driver.wsl_libraries:
        if driver.cuda_library:
            return
        yield finding(
            Level.INFO,
            "WSL has no libcuda: no NVIDIA driver on Windows, or an old one",
            evidence={folder: ", ".join(driver.wsl_libraries) or "empty"},
            fixes=(by_hand("install the NVIDIA driver on Windows", "WSL takes it from there"),),
        )
    elif not driver.cuda_library or "libcuda.so" not in driver.wsl_libraries:
        yield finding(
            Level.ERROR if not driver.cuda_library else Level.WARN,
            "WSL's libcuda is not in the loader's path"
            if not driver.cuda_library
            else "WSL has no libcuda.so link, which cuDNN asks for",
            cause=f"{folder} is not known to the loader, or its links are missing",
            evidence={folder: ", ".join(driver.wsl_libraries)},
            fixes=(
                export(f"export LD_LIBRARY_PATH={folder}:$LD_LIBRARY_PATH", "for this shell"),
                as_root(f"sudo ln -s libcuda.so.1 {folder}/libcuda.so", "adds the link"),
            ),
            explains=consequences_of("wsl-libcuda"),
        )
