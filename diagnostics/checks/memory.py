"""Compares threads, memory and limits with what the machine grants."""

from __future__ import annotations

import math
from collections.abc import Iterator

from diagnostics.environment import Environment
from diagnostics.finding import Finding, Level
from diagnostics.finding_builders import by_hand, export, finding, gib
from diagnostics.registry import Skipped, check

SMALL_MEMORY = 2 << 30
SMALL_SHM = 1 << 30
FEW_FILES = 4096


@check("cpu-quota-ignored", "Threads fit the processor quota", "memory")
def cpu_quota_ignored(environment: Environment) -> Iterator[Finding]:
    """The control group grants fewer processors than torch will start threads for.

    Why: torch counts the processors that it may run on, not the quota, so its threads are throttled
    most of the time. Cure: set OMP_NUM_THREADS to the quota.
    """
    system = environment.system
    if not system.quota:
        raise Skipped("no processor quota")
    asked = environment.variables.get("OMP_NUM_THREADS", "")
    threads = int(asked) if asked.isdigit() and int(asked) else system.num_affinity
    fair = max(1, math.ceil(system.quota))
    if threads > fair:
        yield finding(
            Level.WARN,
            f"{threads} threads would share a quota of {system.quota:g} processors",
            cause="torch sizes its thread pool by affinity and does not see the quota",
            evidence={
                "control group quota": f"{system.quota:g}",
                "affinity": system.num_affinity,
                "OMP_NUM_THREADS": asked or "not set",
            },
            fixes=(export(f"export OMP_NUM_THREADS={fair}", "as many threads as are granted"),),
            explains=("quiet-quota",),
            links=("https://github.com/pytorch/pytorch/issues/193859",),
        )


@check("host-oom-kill", "Memory is enough and nothing was killed", "memory")
def host_memory(environment: Environment) -> Iterator[Finding]:
    """Little memory is left under the limit, or the kernel has killed processes to free some.

    Why: workers are killed without a traceback: `Killed`, exit status 137, `DataLoader worker
    exited unexpectedly`. Cure: a higher limit, fewer workers, smaller batches.
    """
    system = environment.system
    limited = 0 < system.memory_limit < system.memory_total
    left = system.memory_available
    if limited:
        left = min(left, system.memory_limit - system.memory_used)
    where = "the control group's limit" if limited else "MemAvailable"
    raise_limit = by_hand("docker run --memory=16g ...", "or raise the memory of the pod or job")
    if system.num_oom_kills:
        yield finding(
            Level.WARN,
            f"the kernel has killed {system.num_oom_kills} processes here for want of memory",
            cause="the memory limit of the control group was reached",
            evidence={"oom_kill": system.num_oom_kills, "limit": gib(system.memory_limit)},
            fixes=(raise_limit,),
        )
    if 0 <= left < SMALL_MEMORY and system.memory_total:
        yield finding(
            Level.WARN,
            f"only {gib(max(0, left))} of memory are left",
            subject="left",
            cause=f"{where} allows no more; importing torch alone takes about 0.3 GiB",
            evidence={where: gib(system.memory_limit if limited else left)},
            fixes=(raise_limit,) if limited else (),
        )


@check("cpu-alloc-fail", "Address space is not limited", "memory")
def address_space(environment: Environment) -> Iterator[Finding]:
    """`ulimit -v` or strict overcommit bounds the address space.

    Why: allocations fail long before memory is used up: `DefaultCPUAllocator: can't allocate
    memory`; CUDA reserves far more address space than memory. Cure: lift the limit.
    """
    system = environment.system
    if 0 <= system.address_space < 64 << 30:
        yield finding(
            Level.WARN,
            f"the address space is limited to {gib(system.address_space)}",
            cause="a limit of the shell or the batch system",
            evidence={"RLIMIT_AS": system.address_space},
            fixes=(export("ulimit -v unlimited", "lifts it for this shell"),),
        )
    if system.overcommit == 2:
        yield finding(
            Level.WARN,
            "the kernel refuses to overcommit memory",
            subject="overcommit",
            cause="vm.overcommit_memory is 2: forked workers count twice",
            evidence={"/proc/sys/vm/overcommit_memory": 2},
            fixes=(by_hand("sudo sysctl vm.overcommit_memory=0", "the kernel's default"),),
        )


@check("shm-too-small", "Shared memory is large enough for data loaders", "memory")
def shared_memory(environment: Environment) -> Iterator[Finding]:
    """/dev/shm is small, full, missing or not writable for all.

    Why: data loader workers and NCCL pass tensors through it: `unable to allocate shared memory`,
    `Bus error`. Containers get 64 MiB by default. Cure: `--shm-size` or `--ipc=host`.
    """
    system = environment.system
    if system.system != "Linux":
        raise Skipped("only Linux passes tensors through /dev/shm")
    remount = by_hand("sudo mount -o remount,size=8G /dev/shm", "until the next restart")
    grow = by_hand(
        "docker run --shm-size=8g ...",
        "or --ipc=host; in Kubernetes an emptyDir with medium Memory",
    )
    fixes = (grow,) if system.container else (remount,)
    if system.shm_total < 0:
        yield finding(
            Level.ERROR,
            "/dev/shm is missing",
            cause="it is not mounted",
            evidence={"/dev/shm": "cannot be examined"},
            fixes=fixes,
            explains=("deep-dataloader", "deep-gloo", "deep-nccl"),
        )
    elif system.shm_total < SMALL_SHM or system.shm_free < SMALL_SHM // 16:
        tiny = min(system.shm_total, system.shm_free) < 64 << 20
        yield finding(
            Level.ERROR if tiny else Level.WARN,
            f"/dev/shm has {gib(system.shm_free)} free of {gib(system.shm_total)}",
            cause="data loader workers put their batches there",
            evidence={"statvfs /dev/shm": f"{system.shm_total} bytes, {system.shm_free} free"},
            fixes=fixes,
            explains=("deep-dataloader", "deep-gloo", "deep-nccl"),
        )
    if system.shm_total >= 0 and system.shm_mode and system.shm_mode & 0o777 != 0o777:
        yield finding(
            Level.ERROR if not system.root else Level.WARN,
            f"/dev/shm has mode {system.shm_mode:04o}",
            subject="mode",
            cause="only some users may create files there",
            evidence={"/dev/shm": f"mode {system.shm_mode:04o}"},
            fixes=(by_hand("sudo chmod 1777 /dev/shm", "the usual mode"),),
            explains=("deep-dataloader", "deep-gloo", "deep-nccl"),
        )


@check("fd-limit", "Enough open files are allowed", "memory")
def open_files(environment: Environment) -> Iterator[Finding]:
    """The soft limit of open files is low.

    Why: every tensor that a worker sends is a file descriptor: `Too many open files`.
    Cure: `ulimit -n`, or the `file_system` sharing strategy.
    """
    soft, hard = environment.system.open_files, environment.system.open_files_hard
    if not 0 <= soft < 1024 and not 0 <= soft < FEW_FILES:
        return
    target = FEW_FILES * 16 if hard < 0 else hard
    raising = export(f"ulimit -n {target}", "raises it for this shell, as far as is allowed")
    other = by_hand(
        'torch.multiprocessing.set_sharing_strategy("file_system")',
        "needs no descriptor per tensor",
    )
    yield finding(
        # 1024 is the default of many systems and serves most programs.
        Level.WARN if soft < 1024 else Level.INFO,
        f"only {soft} open files are allowed",
        cause="the soft limit RLIMIT_NOFILE",
        evidence={"RLIMIT_NOFILE": f"{soft} soft, {hard} hard"},
        fixes=(raising, other) if hard < 0 or hard > soft else (other,),
    )
