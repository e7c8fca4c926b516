"""Worker side. Counters of the operating system for this process, read before and after a round."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from bench.instruments.stopwatch import NS

WAIT_SHARE: Final = 0.02
"""A thread that waited in the run queue for a larger share of a round was delayed by other processes."""
STARVED_SHARE: Final = 0.2
"""A thread that waited for a larger share had so little of a core that its time says nothing about an idle machine:
with nine runnable threads per core eager ResNet-18 was 270 times slower than ONNX Runtime, in every one of its turns.
"""
SWITCH_RATE: Final = 100.0
"""Involuntary context switches per second that void a round, if the run queue cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """Totals since the start of the process."""

    waited: Mapping[int, int] | None = field(default_factory=dict)
    """Thread -> nanoseconds in the run queue, ready but not running; None if the kernel does not
    count them."""
    switches: int = 0
    """Involuntary context switches."""
    major_faults: int = 0
    """Page faults that read from disk."""
    throttled: int = 0
    """Periods in which the control group exhausted its CPU quota."""
    gpu: int = 0
    """Current NVML clock event reasons, as a bit mask; see bench/instruments/cuda.py."""


def read_counters(gpu_reasons: Callable[[], int] | None = None) -> Counters:
    """Read the counters; what this system does not count stays 0 (None for `waited`)."""
    switches, faults = _usage()
    return Counters(
        waited=_waited(),
        switches=switches,
        major_faults=faults,
        throttled=_throttled(),
        gpu=gpu_reasons() if gpu_reasons else 0,
    )


def longest_wait(before: Counters, after: Counters) -> float | None:
    """Return the seconds that the most delayed thread waited in the run queue between two readings; None if
    not counted.
    """
    if before.waited is None or after.waited is None:
        return None
    return NS * max(
        (now - before.waited.get(thread, 0) for thread, now in after.waited.items()), default=0
    )


def disturbances(before: Counters, after: Counters, seconds: float) -> tuple[str, ...]:
    """Return the disturbances of a round of `seconds`: starved (delayed so much that it never counts), delayed,
    preempted, major_fault, quota, gpu_throttled.
    """
    waited = longest_wait(before, after)
    switches = after.switches - before.switches
    checks = {
        "starved": waited is not None and waited > STARVED_SHARE * seconds,
        "delayed": waited is not None and waited > WAIT_SHARE * seconds,
        "preempted": waited is None and switches > max(1.0, SWITCH_RATE * seconds),
        "major_fault": after.major_faults > before.major_faults,
        "quota": after.throttled > before.throttled,
        "gpu_throttled": bool(before.gpu | after.gpu),
    }
    return tuple(name for name, found in checks.items() if found)


def _usage() -> tuple[int, int]:
    try:
        import resource
    except ImportError:  # Windows
        return 0, 0
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_nivcsw, usage.ru_majflt


def _waited() -> dict[int, int] | None:
    found = {}
    try:
        for task in Path("/proc/self/task").iterdir():
            try:
                found[int(task.name)] = int((task / "schedstat").read_text().split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue  # the thread has ended, or the kernel keeps no schedstat
    except OSError:
        return None
    return found or None


@cache
def _cpu_stat() -> Path | None:
    """Return the path of the control group's `cpu.stat`, version 2 or 1."""
    root = Path("/sys/fs/cgroup")
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    own = next((line[3:].lstrip("/") for line in lines if line.startswith("0::")), "")
    candidates = (root / own / "cpu.stat", root / "cpu.stat", root / "cpu" / "cpu.stat")
    for path in candidates:
        if path.is_file() and "nr_throttled" in path.read_text():
            return path
    return None


def _throttled() -> int:
    path = _cpu_stat()
    if path is None:
        return 0
    try:
        rows = dict(line.split() for line in path.read_text().splitlines())
    except (OSError, ValueError):
        return 0
    return int(rows.get("nr_throttled", 0))
