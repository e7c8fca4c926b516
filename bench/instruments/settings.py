"""Worker side. Settings of this process while it is measured."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

from suite.measurement import MeasurementFacts

VARIABLES: Final = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OMP_WAIT_POLICY",
    "KMP_BLOCKTIME",
    "KMP_AFFINITY",
    "GOMP_CPU_AFFINITY",
    "LD_PRELOAD",
    "MALLOC_ARENA_MAX",
    "PYTORCH_ALLOC_CONF",
    "PYTORCH_CUDA_ALLOC_CONF",
    "CUDA_LAUNCH_BLOCKING",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_TF32_OVERRIDE",
)
"""Environment variables that change speed or memory."""


def settings() -> MeasurementFacts:
    """Return cores this process may use, quota in cores, load, pressure, variables, and torch's flags if it is
    imported.
    """
    found = MeasurementFacts(
        available_cores=available_cores(),
        quota_cores=quota_cores(),
        load_average=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        cpu_pressure=cpu_pressure(),
        variables={name: os.environ[name] for name in VARIABLES if name in os.environ},
    )
    torch = sys.modules.get("torch")
    if torch is None:
        return found
    return replace(
        found,
        torch_threads=torch.get_num_threads(),
        float32_matmul_precision=torch.get_float32_matmul_precision(),
        cudnn_benchmark=torch.backends.cudnn.benchmark,
        deterministic_algorithms=torch.are_deterministic_algorithms_enabled(),
    )


def available_cores() -> int:
    """Return the number of cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def quota_cores() -> float | None:
    """Return the control group's CPU quota in cores, or None without a limit."""
    root = Path("/sys/fs/cgroup")
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    own = next((line[3:].lstrip("/") for line in lines if line.startswith("0::")), "")
    for path in (root / own / "cpu.max", root / "cpu.max"):
        try:
            quota, period = path.read_text().split()
        except (OSError, ValueError):
            continue
        return None if quota == "max" else int(quota) / int(period)
    try:
        old = int((root / "cpu" / "cpu.cfs_quota_us").read_text())
        return old / int((root / "cpu" / "cpu.cfs_period_us").read_text()) if old > 0 else None
    except (OSError, ValueError):
        return None


def cpu_pressure() -> float | None:
    """Return the share of the last ten seconds in which some task waited for a CPU (0..1); None if it is
    not counted.
    """
    try:
        first = Path("/proc/pressure/cpu").read_text().splitlines()[0]
        return float(first.split("avg10=")[1].split()[0]) / 100
    except (OSError, IndexError, ValueError):
        return None
