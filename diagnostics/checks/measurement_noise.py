"""Checks for conditions that make benchmarks on this machine unreliable."""

from __future__ import annotations

import math
from collections.abc import Iterator

from diagnostics.environment import Environment
from diagnostics.finding import Finding, Level
from diagnostics.finding_builders import as_root, by_hand, export, finding, gib
from diagnostics.registry import Skipped, check, need

BUSY_SHARE = 0.25
"""Share of the processors that others may use before timings suffer."""
STEAL_SHARE = 0.02


@check("quiet-governor", "The clock is not held down", "quiet")
def governor(environment: Environment) -> Iterator[Finding]:
    """The frequency governor is `powersave` or the machine runs on battery.

    Why: the clock follows the load with a delay, so short measurements are slow. Cure: use the
    governor `performance` while measuring.
    """
    quiet = need(environment.quiet)
    # With intel_pstate and amd_pstate_epp, powersave is the normal, fast governor.
    if quiet.governor in ("powersave", "conservative"):
        yield finding(
            Level.INFO,
            f"the frequency governor is {quiet.governor}",
            evidence={"scaling_governor": quiet.governor},
            fixes=(as_root("sudo cpupower frequency-set -g performance", "until the restart"),),
        )
    if quiet.battery:
        yield finding(
            Level.WARN,
            "the machine runs on battery",
            subject="battery",
            cause="clocks are held down to save energy",
        )


@check("quiet-turbo", "Turbo does not move the clock", "quiet")
def turbo(environment: Environment) -> Iterator[Finding]:
    """Turbo is on.

    Why: the clock depends on temperature and on how many cores work, so runs drift by some
    percent. Cure: switch it off for comparisons, not for absolute speed.
    """
    if need(environment.quiet).turbo == "on":
        yield finding(
            Level.INFO,
            "turbo is on: clocks drift with temperature and load",
            evidence={"turbo": "on"},
            fixes=(
                as_root(
                    "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo",
                    "on Intel; `echo 0 > .../cpufreq/boost` on others",
                ),
            ),
        )


@check("quiet-load", "Nothing else uses the processors", "quiet")
def load(environment: Environment) -> Iterator[Finding]:
    """Other processes use a good part of the processors.

    Why: they take time from the measured process and wipe its caches. Cure: stop them, or wait.
    """
    quiet, system = need(environment.quiet), environment.system
    share = system.load / max(1, system.num_cpus)
    waiting = quiet.pressure > 10
    if quiet.busy <= BUSY_SHARE and share <= 2 * BUSY_SHARE and not waiting:
        return
    both = max(quiet.busy, 0.0)
    yield finding(
        Level.WARN if share > 2 * BUSY_SHARE or waiting else Level.INFO,
        f"the machine is busy: load {system.load:g} on {system.num_cpus} processors",
        cause="other processes are running",
        evidence={
            "load over one minute": system.load,
            "busy now": f"{both:.0%}",
            "tasks waiting for a processor": f"{max(quiet.pressure, 0):.0f}%",
        },
        fixes=(by_hand("ps -eo pid,pcpu,comm --sort=-pcpu | head", "shows who it is"),),
    )


@check("quiet-steal", "The hypervisor takes no time", "quiet")
def steal(environment: Environment) -> Iterator[Finding]:
    """The hypervisor has given part of this machine's time to others.

    Why: measured times then contain time in which nothing ran here. Cure: another host, a dedicated
    one, or interleaved comparisons.
    """
    share = need(environment.quiet).steal
    if share > STEAL_SHARE:
        yield finding(
            Level.WARN if share > 5 * STEAL_SHARE else Level.INFO,
            f"the hypervisor took {share:.1%} of this machine's processor time",
            cause="a shared virtual machine",
            evidence={"/proc/stat steal": f"{share:.2%} since the start"},
        )


@check("quiet-quota", "The quota does not throttle", "quiet")
def quota(environment: Environment) -> Iterator[Finding]:
    """The control group has a processor quota, or was throttled by it.

    Why: a throttled process stops for the rest of a period of 100 ms: latencies have two humps.
    Cure: as many threads as the quota grants, or no quota.
    """
    quiet, system = need(environment.quiet), environment.system
    if not system.quota:
        return
    share = quiet.throttled / quiet.periods if quiet.periods else 0.0
    fair = max(1, math.floor(system.quota))
    yield finding(
        Level.WARN if share > 0.01 or system.quota < 1 else Level.INFO,
        f"a quota of {system.quota:g} processors, throttled in {share:.0%} of its periods",
        cause="the container or job has a processor limit",
        evidence={"quota": f"{system.quota:g}", "throttled": f"{quiet.throttled}/{quiet.periods}"},
        fixes=(export(f"export OMP_NUM_THREADS={fair}", "stays below the quota"),),
    )


@check("quiet-threads", "Thread settings are the usual ones", "quiet")
def threads(environment: Environment) -> Iterator[Finding]:
    """A variable sets the number of threads or pins them.

    Why: results then cannot be compared with those of a machine without it. Cure: unset it, or set
    it everywhere.
    """
    names = (
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "OMP_WAIT_POLICY",
        "GOMP_CPU_AFFINITY",
        "KMP_AFFINITY",
        "KMP_BLOCKTIME",
        "OMP_PROC_BIND",
    )
    found = {name: environment.variables[name] for name in names if name in environment.variables}
    if found:
        shown = ", ".join(f"{name}={value}" for name, value in found.items())
        yield finding(
            Level.INFO,
            f"thread settings in the environment: {shown}",
            evidence=dict(found),
            fixes=(export("unset " + " ".join(found), "back to the defaults"),),
        )


@check("quiet-swap", "Nothing is swapped out", "quiet")
def swap(environment: Environment) -> Iterator[Finding]:
    """Swap is in use.

    Why: a page that must be read back costs milliseconds in the middle of a measurement.
    Cure: free memory, then `swapoff -a`.
    """
    used = environment.system.swap_used
    if used > 64 << 20:
        yield finding(
            Level.WARN if used > environment.system.memory_total // 20 else Level.INFO,
            f"{gib(used)} are swapped out",
            cause="memory was short at some time",
            evidence={"SwapTotal - SwapFree": used},
            fixes=(as_root("sudo swapoff -a && sudo swapon -a", "reads it all back"),),
        )


@check("quiet-gpu-shared", "No other process uses the GPU", "quiet")
def gpu_shared(environment: Environment) -> Iterator[Finding]:
    """Other processes compute on a GPU.

    Why: kernels wait for theirs and memory is less than it seems. Cure: stop them or take another
    device.
    """
    if not environment.gpus:
        raise Skipped("no GPU")
    for gpu in environment.gpus:
        if gpu.processes:
            names = ", ".join(f"pid {pid} with {gib(used)}" for pid, used in gpu.processes[:4])
            yield finding(
                Level.WARN,
                f"{gpu.name} is used by {names}",
                subject=f"cuda:{gpu.index}",
                cause="kernels of several processes take turns",
                evidence={"compute processes": names, "utilization": f"{gpu.utilization}%"},
                fixes=(by_hand(f"kill {gpu.processes[0][0]}", "after a look at what it is"),),
            )


@check("quiet-gpu-throttled", "The GPU keeps its clock", "quiet")
def gpu_throttled(environment: Environment) -> Iterator[Finding]:
    """A GPU's clock is held down by heat or power, or persistence mode is off.

    Why: results depend on what ran before; without persistence the first call loads the driver.
    Cure: cooling, a higher power limit, `nvidia-smi -pm 1`.
    """
    if not environment.gpus:
        raise Skipped("no GPU")
    for gpu in environment.gpus:
        if gpu.throttle:
            yield finding(
                Level.WARN,
                f"{gpu.name} is slowed down: {', '.join(gpu.throttle)}",
                subject=f"cuda:{gpu.index}",
                cause="heat or power",
                evidence={
                    "clock reasons": ", ".join(gpu.throttle),
                    "temperature": f"{gpu.temperature} C",
                },
                fixes=(by_hand("nvidia-smi -q -d PERFORMANCE,TEMPERATURE,POWER", "shows more"),),
            )
        if gpu.persistence is False:
            yield finding(
                Level.INFO,
                f"persistence mode of {gpu.name} is off",
                subject=f"persistence:{gpu.index}",
                evidence={"persistence mode": "off"},
                fixes=(as_root("sudo nvidia-smi -pm 1", "keeps the driver loaded"),),
            )
