"""NVIDIA devices and their driver."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One NVIDIA device."""

    index: int
    name: str
    memory_total: int
    """Bytes."""
    memory_free: int = -1
    capability: str = ""
    """Such as `9.0`."""
    uuid: str = ""
    driver: str = ""
    processes: tuple[tuple[int, int], ...] = ()
    """(pid, bytes) of compute processes on it."""
    throttle: tuple[str, ...] = ()
    persistence: bool | None = None
    temperature: int = -1
    """Degrees Celsius."""
    utilization: int = -1
    """Percent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """The NVIDIA driver, from files, the kernel and libraries."""

    pci_devices: int = 0
    """NVIDIA display controllers on the PCI bus."""
    kernel_version: str = ""
    """From /proc/driver/nvidia/version."""
    kernel_loaded: bool = False
    nouveau_loaded: bool = False
    uvm_loaded: bool = False
    device_files: tuple[str, ...] = ()
    has_smi: bool = False
    fabric_manager: str = ""
    """`running`, `installed` or empty."""
    nvml_library: str = ""
    nvml_code: int = -1
    """Return code of nvmlInit, -1 when it was not called."""
    nvml_driver: str = ""
    cuda_library: str = ""
    """Where the loader found libcuda.so.1."""
    cuda_code: int = -1
    """Return code of cuInit, -1 when it was not called."""
    cuda_version: str = ""
    """Newest CUDA that the driver supports, such as `13.3`."""
    num_cuda_devices: int = -1
    num_nvml_devices: int = -1
    probe_failure: str = ""
    """Why the probe failed: `timeout`, `signal 11`, ..."""
    wsl_libraries: tuple[str, ...] = ()
