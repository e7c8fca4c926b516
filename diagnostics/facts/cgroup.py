"""Reads the limits of the control groups (v1 and v2): processors, memory, and how often they were hit."""

# Plain os calls start faster than pathlib and take most of the second that a run may take.
# ruff: noqa: PTH112

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from diagnostics.facts.procfs import fields, number, text

_UNLIMITED = 1 << 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of the control group and every group above it; the tightest one counts."""

    quota: float = 0.0
    memory_limit: int = 0
    memory_used: int = 0
    num_oom_kills: int = 0
    periods: int = 0
    throttled: int = 0


def limits(root: str = "/sys/fs/cgroup", membership: str = "/proc/self/cgroup") -> Limits:
    """Return the limits of this process; zeros where nothing limits it."""
    quotas: list[float] = []
    memory: list[tuple[int, int]] = []
    kills = periods = throttled = 0
    for controller, folder in _folders(root, membership):
        if controller in ("", "cpu"):
            quota = _quota(folder)
            if quota:
                quotas.append(quota)
            stat = fields(f"{folder}/cpu.stat")
            periods = max(periods, stat.get("nr_periods", 0))
            throttled = max(throttled, stat.get("nr_throttled", 0))
        if controller in ("", "memory"):
            bound = _memory(folder)
            if bound:
                memory.append(bound)
            events = fields(f"{folder}/memory.events") or fields(f"{folder}/memory.oom_control")
            kills = max(kills, events.get("oom_kill", 0))
    limit, used = min(memory, default=(0, 0))
    return Limits(
        quota=min(quotas, default=0.0),
        memory_limit=limit,
        memory_used=used,
        num_oom_kills=kills,
        periods=periods,
        throttled=throttled,
    )


def _folders(root: str, membership: str) -> Iterator[tuple[str, str]]:
    """(controller or "" for v2, folder) of the own group and its parents."""
    for line in text(membership).splitlines():
        parts = line.split(":", 2)
        if len(parts) != 3:
            continue
        _, controllers, path = parts
        names = controllers.split(",")
        if controllers and not {"cpu", "memory"} & set(names):
            continue
        mounts = [root, f"{root}/unified"] if not controllers else _v1_mounts(root, names)
        controller = "" if not controllers else ("cpu" if "cpu" in names else "memory")
        for mount in mounts:
            yield from ((controller, folder) for folder in _upwards(mount, path))


def _v1_mounts(root: str, names: list[str]) -> list[str]:
    candidates = [f"{root}/{','.join(names)}", *(f"{root}/{name}" for name in names)]
    return [path for path in candidates if os.path.isdir(path)][:1]


def _upwards(mount: str, path: str) -> Iterator[str]:
    relative = path.strip("/")
    while relative and not relative.startswith(".."):
        if os.path.isdir(f"{mount}/{relative}"):
            yield f"{mount}/{relative}"
        relative = relative.rpartition("/")[0]
    if os.path.isdir(mount):
        yield mount


def _quota(folder: str) -> float:
    words = text(f"{folder}/cpu.max").split()
    if len(words) == 2 and words[0].isdigit() and words[1].isdigit():
        return int(words[0]) / max(1, int(words[1]))
    granted = number(f"{folder}/cpu.cfs_quota_us")
    period = number(f"{folder}/cpu.cfs_period_us")
    return granted / period if granted > 0 and period > 0 else 0.0


def _memory(folder: str) -> tuple[int, int] | None:
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        bound = number(f"{folder}/{limit}")
        if 0 < bound < _UNLIMITED:
            return bound, max(0, number(f"{folder}/{used}", 0))
    return None
