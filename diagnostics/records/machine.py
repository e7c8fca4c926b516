"""Operating system, disks, ports, and noise that disturbs measurements."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """Operating system, processor, memory and limits."""

    system: str = ""
    kernel: str = ""
    distro: str = ""
    distro_family: str = ""
    """`debian`, `fedora`, ... from os-release."""
    machine: str = ""
    cpu_model: str = ""
    num_cpus: int = 0
    """Processors that the kernel shows."""
    num_affinity: int = 0
    """Processors that this process may use."""
    quota: float = 0.0
    """Processors that the control group grants; 0 when unlimited."""
    num_cores: int = 1
    """Usable processors: the affinity, limited by the quota rounded up."""
    memory_total: int = 0
    memory_available: int = 0
    memory_limit: int = 0
    """Bytes that the control group grants; 0 when unlimited."""
    memory_used: int = 0
    """Bytes used against that limit."""
    num_oom_kills: int = 0
    overcommit: int = 0
    swap_total: int = 0
    swap_used: int = 0
    load: float = 0.0
    """Mean number of runnable processes over one minute."""
    container: str = ""
    """`docker`, `podman`, `kubernetes`, `lxc` or empty."""
    wsl: bool = False
    shm_total: int = -1
    shm_free: int = -1
    shm_mode: int = 0
    open_files: int = -1
    """Soft limit of file descriptors, -1 when unlimited or unknown."""
    open_files_hard: int = -1
    address_space: int = -1
    """Bytes of RLIMIT_AS, -1 when unlimited."""
    root: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """One folder that something will be written to."""

    purpose: str
    path: str
    exists: bool = True
    is_directory: bool = True
    writable: bool = True
    noexec: bool = False
    total: int = -1
    free: int = -1
    """Bytes, -1 when unknown."""
    blocker: str = ""
    """The existing parent that is a file or forbids writing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """What disturbs a measurement."""

    governor: str = ""
    turbo: str = ""
    """`on`, `off` or empty."""
    steal: float = -1.0
    """Share of processor time taken by the hypervisor since boot, -1 unknown."""
    busy: float = -1.0
    """Share of processor time used by all processes during 50 ms, -1 unknown."""
    pressure: float = -1.0
    """Percent of the last 10 s in which a task waited for a processor, -1 unknown."""
    throttled: int = 0
    """Periods in which the control group was throttled."""
    periods: int = 0
    smt: bool = False
    temperature: float = -1.0
    battery: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """TCP ports that are configured here, and whether they are free."""

    taken: dict[str, int] = field(default_factory=dict)
    """Purpose -> port that could not be bound."""
    interfaces: tuple[str, ...] = ()
    """Names of the network interfaces."""
