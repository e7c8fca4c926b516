"""Operating system, processor, memory, limits and container, from /proc, /sys and the kernel."""

# Plain os calls start faster than pathlib and take most of the second that a run may take.
# ruff: noqa: PTH110, PTH116

from __future__ import annotations

import math
import os
import platform
import re
from contextlib import suppress

from diagnostics.facts import cgroup
from diagnostics.facts.procfs import fields, number, text
from diagnostics.records import System

try:
    import resource
except ImportError:  # not on Windows
    resource = None  # type: ignore[assignment]


def describe() -> System:
    """Return the machine as this process sees it."""
    limits = cgroup.limits()
    memory = fields("/proc/meminfo")
    release = _os_release()
    affinity = _affinity()
    quota_cores = math.ceil(limits.quota) if limits.quota else affinity
    soft, hard = _limit("RLIMIT_NOFILE")
    shm = _statvfs("/dev/shm")
    kernel = platform.release()
    return System(
        system=platform.system(),
        kernel=kernel,
        distro=release.get("PRETTY_NAME", ""),
        distro_family=f"{release.get('ID', '')} {release.get('ID_LIKE', '')}".strip(),
        machine=platform.machine(),
        cpu_model=_cpu_model(),
        num_cpus=os.cpu_count() or 1,
        num_affinity=affinity,
        quota=limits.quota,
        num_cores=max(1, min(affinity, quota_cores)),
        memory_total=memory.get("MemTotal", 0) * 1024,
        memory_available=memory.get("MemAvailable", 0) * 1024,
        memory_limit=limits.memory_limit,
        memory_used=limits.memory_used,
        num_oom_kills=limits.num_oom_kills,
        overcommit=max(0, number("/proc/sys/vm/overcommit_memory", 0)),
        swap_total=memory.get("SwapTotal", 0) * 1024,
        swap_used=(memory.get("SwapTotal", 0) - memory.get("SwapFree", 0)) * 1024,
        load=_load(),
        container=_container(),
        wsl="microsoft" in kernel.lower(),
        shm_total=shm[0],
        shm_free=shm[1],
        shm_mode=_mode("/dev/shm"),
        open_files=soft,
        open_files_hard=hard,
        address_space=_limit("RLIMIT_AS")[0],
        root=hasattr(os, "geteuid") and os.geteuid() == 0,
    )


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        with suppress(OSError):
            return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _load() -> float:
    with suppress(OSError, AttributeError):
        return round(os.getloadavg()[0], 2)
    return 0.0


def _limit(name: str) -> tuple[int, int]:
    if resource is None:
        return -1, -1
    with suppress(OSError, ValueError, AttributeError):
        soft, hard = resource.getrlimit(getattr(resource, name))
        return _bounded(soft), _bounded(hard)
    return -1, -1


def _bounded(value: int) -> int:
    return -1 if value == resource.RLIM_INFINITY or value > 1 << 62 else value


def _statvfs(path: str) -> tuple[int, int]:
    with suppress(OSError, AttributeError):
        state = os.statvfs(path)
        return state.f_blocks * state.f_frsize, state.f_bavail * state.f_frsize
    return -1, -1


def _mode(path: str) -> int:
    with suppress(OSError):
        return os.stat(path).st_mode & 0o7777
    return 0


def _cpu_model() -> str:
    match = re.search(
        r"^(?:model name|Processor|cpu model)\s*:\s*(.+)$", text("/proc/cpuinfo"), re.M
    )
    return match[1].strip() if match else platform.processor() or platform.machine()


def _os_release() -> dict[str, str]:
    found = {}
    for line in (text("/etc/os-release") or text("/usr/lib/os-release")).splitlines():
        key, sign, value = line.partition("=")
        if sign:
            found[key] = value.strip().strip('"')
    return found


def _container() -> str:
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        return "kubernetes"
    if os.path.exists("/run/.containerenv"):
        return "podman"
    if os.path.exists("/.dockerenv"):
        return "docker"
    named = os.environ.get("container", "")  # noqa: SIM112 - systemd writes it so
    if named:
        return named
    groups = text("/proc/1/cgroup")
    for mark, kind in (("kubepods", "kubernetes"), ("docker", "docker"), ("/lxc", "lxc")):
        if mark in groups:
            return kind
    return ""
