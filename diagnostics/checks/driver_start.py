"""Checks whether CUDA starts: libcuda, kernel modules, fabric manager, and the probe's answers."""

from __future__ import annotations

from collections.abc import Iterator

from diagnostics.checks.driver import consequences_of, driver_of
from diagnostics.environment import Environment
from diagnostics.finding import Finding, Level
from diagnostics.finding_builders import as_root, by_hand, export, finding
from diagnostics.registry import Skipped, check
from diagnostics.torch_build_choice import has_gpu


@check("compat-803", "libcuda belongs to the running driver", "driver")
def compat(environment: Environment) -> Iterator[Finding]:
    """The loader finds the libcuda of the forward compatibility package instead of the driver's.

    Why: on a GPU or driver that does not support it: `Error 803: system has unsupported display
    driver / cuda driver combination`. Cure: remove its folder from LD_LIBRARY_PATH.
    """
    yield from _compat(environment, code=803)


@check("compat-804", "Forward compatibility is supported here", "driver")
def compat_hardware(environment: Environment) -> Iterator[Finding]:
    """Forward compatibility is attempted on a GPU that does not support it.

    Why: GeForce boards refuse it: `Error 804: forward compatibility was attempted on non supported
    HW`. Cure: remove the compat folder from the search path, or update the driver.
    """
    yield from _compat(environment, code=804)


def _compat(environment: Environment, *, code: int) -> Iterator[Finding]:
    driver = driver_of(environment)
    in_compat = "/compat" in driver.cuda_library
    suspicious = code == 803 and in_compat and driver.cuda_code not in (0, 804)
    if driver.cuda_code != code and not suspicious:
        return
    folder = driver.cuda_library.rpartition("/")[0]
    kept = [
        part
        for part in environment.variables.get("LD_LIBRARY_PATH", "").split(":")
        if part and "/compat" not in part and part != folder
    ]
    yield finding(
        Level.ERROR,
        f"cuInit fails with {driver.cuda_code}: libcuda and the kernel driver do not fit",
        cause="a libcuda of the compatibility package stands before the driver's own"
        if in_compat
        else "libcuda.so.1 is of another version than the kernel module",
        evidence={
            "libcuda.so.1": driver.cuda_library,
            "kernel module": driver.kernel_version or "unknown",
        },
        fixes=(
            export(
                f"export LD_LIBRARY_PATH={':'.join(kept)}" if kept else "unset LD_LIBRARY_PATH",
                "lets the loader find the driver's own libcuda",
            ),
            by_hand("rm -r /usr/local/cuda/compat && ldconfig", "in a container image"),
        ),
        explains=consequences_of("compat-803"),
    )


@check("fabric-manager-802", "The NVSwitch fabric is up", "driver")
def fabric(environment: Environment) -> Iterator[Finding]:
    """cuInit returns 802: the system is not yet initialized.

    Why: machines with NVSwitch need the fabric manager of the driver's branch: `Error 802`. Cure:
    start it.
    """
    driver = driver_of(environment)
    if driver.cuda_code != 802:
        return
    yield finding(
        Level.ERROR,
        "CUDA error 802: the system is not yet initialized",
        cause="the NVSwitch fabric manager is not running",
        evidence={"cuInit": 802, "fabric manager": driver.fabric_manager or "not found"},
        fixes=(
            as_root("sudo systemctl enable --now nvidia-fabricmanager", "of the driver's branch"),
        ),
        explains=consequences_of("fabric-manager-802"),
    )


@check("cuda-unknown-999", "The unified memory module is loaded", "driver")
def unknown(environment: Environment) -> Iterator[Finding]:
    """NVML works but cuInit returns 999, or /dev/nvidia-uvm is missing.

    Why: this happens after suspend, or when nvidia_uvm is not loaded: `CUDA unknown error`. Cure:
    load the module again.
    """
    driver = driver_of(environment)
    if driver.cuda_code != 999:
        return
    reload = "sudo modprobe -r nvidia_uvm && sudo modprobe nvidia_uvm"
    no_uvm = "nvidia-uvm" not in driver.device_files
    yield finding(
        Level.ERROR,
        "CUDA error 999: unknown error" + (" (there is no /dev/nvidia-uvm)" if no_uvm else ""),
        cause="the module nvidia_uvm is missing or was lost, as after suspend",
        evidence={"cuInit": 999, "/dev": ", ".join(driver.device_files) or "no nvidia files"},
        fixes=(as_root(reload, "loads it again"),),
        explains=consequences_of("cuda-unknown-999"),
    )


@check("kernel-module-not-loaded", "The NVIDIA kernel module is loaded", "driver")
def module_not_loaded(environment: Environment) -> Iterator[Finding]:
    """The driver's programs are installed but its kernel module is not loaded.

    Why: after a kernel update, with Secure Boot, or beside nouveau: `NVIDIA-SMI has failed because
    it couldn't communicate with the NVIDIA driver`. Cure: build and load it.
    """
    driver = driver_of(environment)
    if environment.system.wsl or environment.system.container:
        raise Skipped("the module is loaded on the host")
    if driver.kernel_loaded or not (driver.has_smi or driver.nvml_code == 9):
        return
    fix = "sudo dkms autoinstall && sudo modprobe nvidia"
    if driver.nouveau_loaded:
        fix = "sudo modprobe -r nouveau && sudo modprobe nvidia"
    yield finding(
        Level.ERROR,
        "the NVIDIA kernel module is not loaded"
        + (", nouveau is" if driver.nouveau_loaded else ""),
        cause="it was not built for this kernel, or Secure Boot refuses it (enrol the key: mokutil)",
        evidence={
            "/sys/module/nvidia": "absent",
            "nvmlInit": driver.nvml_code if driver.nvml_code >= 0 else "not called",
            "kernel": environment.system.kernel,
        },
        fixes=(as_root(fix, "builds and loads it"),),
        explains=consequences_of("kernel-module-not-loaded"),
    )


@check("cuda-init-failed", "The driver answers", "driver")
def init_failed(environment: Environment) -> Iterator[Finding]:
    """CuInit or nvmlInit fails with a code that no other check covers, or the probe hung or
    crashed.

    Why: torch would fail, hang or crash in the same way. Cure: restart the container or machine;
    read the kernel's log.
    """
    driver = driver_of(environment)
    named = {802, 803, 804, 999}
    log = as_root("sudo dmesg | grep -iE 'nvrm|nvidia' | tail", "shows what the driver says")
    if driver.probe_failure:
        yield finding(
            Level.ERROR,
            f"asking the driver ended with {driver.probe_failure}",
            subject="probe",
            cause="the driver hangs or is damaged; torch would fare the same",
            evidence={"libcuda.so.1": driver.cuda_library or "not reached"},
            fixes=(log,),
            explains=consequences_of("cuda-init-failed"),
        )
    if driver.cuda_code > 0 and driver.cuda_code not in named:
        none = driver.cuda_code == 100
        yield finding(
            Level.ERROR if has_gpu(environment) else Level.INFO,
            "libcuda is here but sees no device"
            if none
            else f"cuInit fails with {driver.cuda_code}",
            subject="cuInit",
            cause="no device is passed through" if none else "see cudaError in NVIDIA's reference",
            evidence={driver.cuda_library or "libcuda.so.1": f"cuInit returned {driver.cuda_code}"},
            fixes=(log,),
            explains=consequences_of("cuda-init-failed"),
        )
    if driver.nvml_code > 0 and driver.nvml_code not in (9, 18, 999):
        yield finding(
            Level.WARN,
            f"nvmlInit fails with {driver.nvml_code}",
            subject="nvml",
            cause="see nvmlReturn_t in NVIDIA's reference",
            evidence={driver.nvml_library: driver.nvml_code},
            fixes=(log,),
        )
