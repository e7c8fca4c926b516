"""Describes the NVIDIA driver and its devices, from the kernel's files and the probe's answers."""

# Plain os calls start faster than pathlib and take most of the second that a run may take.
# ruff: noqa: PTH112, PTH118, PTH120

from __future__ import annotations

import ast
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diagnostics.facts.deadline import LONGEST, communicate
from diagnostics.facts.loader import Loader
from diagnostics.facts.procfs import names, text, which
from diagnostics.records import Driver, Gpu

if TYPE_CHECKING:
    import subprocess

PROBE_SECONDS = 8.0
LONGEST_SECONDS = PROBE_SECONDS * LONGEST + 5
"""The child's own deadline ends it long before."""
_PROBE = os.path.join(os.path.dirname(__file__), "gpu_probe.py")
"""Run as a file: importing it here would load ctypes for nothing."""
DRIVER_LIBRARIES = ("libnvidia-ml.so.1", "libcuda.so.1")
_VERSION = re.compile(r"(?:Kernel Module|for \S+)\s+(?:\S+\s+)?(\d{3}\.\d+(?:\.\d+)?)")


class Probe:
    """The probe, running in a child; started early so that it runs beside the other collectors."""

    def __init__(
        self, loader: Loader, *, quick: bool = False, seconds: float = PROBE_SECONDS
    ) -> None:
        self._seconds = seconds
        self._refusal = ""
        self._child: subprocess.Popen[bytes] | None = None
        self._nobody_to_ask = not may_have_driver(loader)
        if self._nobody_to_ask:
            return
        import subprocess

        command = [sys.executable, "-I", "-S", _PROBE, *(("quick",) if quick else ())]
        try:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                # Hidden devices are a finding of their own; the probe has to see all of them.
                env={k: v for k, v in os.environ.items() if k != "CUDA_VISIBLE_DEVICES"},
            )
        except OSError as error:
            self._refusal = f"the probe cannot be started: {error.strerror}"

    def answers(self) -> tuple[dict[str, Any], list[dict[str, Any]], str]:
        """Return the facts, the devices and the failure that the child reported before it ended or hung."""
        if self._nobody_to_ask:
            return {}, [], ""
        if self._child is None:
            raise OSError(self._refusal)
        output, _, late = communicate(self._child, self._seconds)
        failure = "timeout" if late else ""
        code = self._child.returncode or 0
        facts: dict[str, Any] = {}
        devices: list[dict[str, Any]] = []
        for line in output.decode(errors="replace").splitlines():
            try:
                said = ast.literal_eval(line)
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                continue
            if not isinstance(said, dict):
                continue
            if "gpu" in said:
                devices.append(said)
            else:
                facts.update(said)
        if not failure and not facts.get("done"):
            failure = f"signal {-code}" if code < 0 else f"exit status {code}"
        return facts, devices, failure


def may_have_driver(loader: Loader) -> bool:
    """Return False where neither of the driver's libraries nor a trace of its module or devices exists.

    A child that only finds that out costs as much as all checks together. Where the loader's cache cannot be read,
    or something is preloaded, the child has to look.
    """
    if not loader.cache or os.environ.get("LD_PRELOAD"):
        return True
    if any(
        os.path.isdir(path) for path in ("/proc/driver/nvidia", "/sys/module/nvidia", "/dev/dxg")
    ):
        return True
    if any(name.startswith("nvidia") for name in names("/dev")) or os.path.isdir("/usr/lib/wsl"):
        return True
    # The search path of the interpreter itself may lead to its own folder of libraries, as conda's does.
    own = tuple(f"{prefix}/lib" for prefix in {sys.prefix, sys.base_prefix, sys.exec_prefix})
    multiarch = tuple(f"{root}/{os.uname().machine}-linux-gnu" for root in ("/lib", "/usr/lib"))
    folders = (*own, *multiarch)
    return any(
        loader.find_by_name(name) or any(os.path.lexists(f"{place}/{name}") for place in folders)
        for name in DRIVER_LIBRARIES
    )


def devices(probe: Probe) -> tuple[tuple[Gpu, ...], Driver]:
    """Return the devices and the state of the driver."""
    facts, rows, failure = probe.answers()
    gpus = tuple(
        Gpu(
            index=row["gpu"],
            name=row.get("name", ""),
            memory_total=row.get("memory_total", 0),
            memory_free=row.get("memory_free", -1),
            capability=row.get("capability", ""),
            uuid=row.get("uuid", ""),
            driver=facts.get("nvml_driver", ""),
            processes=tuple((pid, used) for pid, used in row.get("processes", ())),
            throttle=tuple(row.get("throttle", ())),
            persistence=row.get("persistence"),
            temperature=row.get("temperature", -1),
            utilization=row.get("utilization", -1),
        )
        for row in rows
    )
    driver = Driver(
        pci_devices=_pci_devices(),
        kernel_version=kernel_version(text("/proc/driver/nvidia/version")),
        kernel_loaded=os.path.isdir("/sys/module/nvidia"),
        nouveau_loaded=os.path.isdir("/sys/module/nouveau"),
        uvm_loaded=os.path.isdir("/sys/module/nvidia_uvm"),
        device_files=tuple(name for name in names("/dev") if name.startswith("nvidia")),
        has_smi=bool(which("nvidia-smi")),
        fabric_manager=_fabric_manager(),
        nvml_library=facts.get("nvml_library", ""),
        nvml_code=facts.get("nvml_code", -1),
        nvml_driver=facts.get("nvml_driver", ""),
        cuda_library=facts.get("cuda_library", ""),
        cuda_code=facts.get("cuda_code", -1),
        cuda_version=facts.get("cuda_version", ""),
        num_cuda_devices=facts.get("num_cuda_devices", -1),
        num_nvml_devices=facts.get("num_nvml_devices", -1),
        probe_failure=failure,
        wsl_libraries=names("/usr/lib/wsl/lib"),
    )
    return gpus, driver


def kernel_version(said: str) -> str:
    """Return the module's version from the text of /proc/driver/nvidia/version, "" without one."""
    found = _VERSION.search(said.partition("\n")[0])
    return found[1] if found else ""


def _pci_devices() -> int:
    """NVIDIA (vendor 0x10de) display controllers (class 0x03xxxx) on the PCI bus."""
    root = "/sys/bus/pci/devices"
    return sum(
        text(f"{root}/{name}/vendor") == "0x10de" and text(f"{root}/{name}/class")[:4] == "0x03"
        for name in names(root)
    )


def _fabric_manager() -> str:
    if Path("/run/nvidia-fabricmanager/nv-fabricmanager.pid").exists():
        return "running"
    if Path("/var/run/nvidia-fabricmanager.pid").exists():
        return "running"
    return "installed" if which("nv-fabricmanager") else ""
