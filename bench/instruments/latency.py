"""Worker side. Latency: warm forward passes timed in rounds, and the cold first one separately."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from bench.instruments.counters import read_counters
from bench.instruments.cuda import CudaEvents, reason_names, throttle_reader
from bench.instruments.garbage import paused_garbage_collector
from bench.instruments.phases import Phases
from bench.instruments.rounds import Boundary, Rounds, take_rounds
from bench.instruments.sentinel import sentinel
from bench.instruments.stopwatch import CLOCK, Clock, overhead, time_round
from bench.instruments.warmup import Warmup, warm_up
from bench.plan import Plan, plan_of
from bench.stats import mad, median
from suite.axes import CPU, is_accelerator
from suite.backends.runnable import Runnable, runnable_for
from suite.measurement import Measurement, MeasurementFacts, SentinelReadings
from suite.results.measuring import LatencyResult
from suite.results.step_output import StepOutput, widened
from suite.worker.protocol import CellJob, Emit

COLLECT_EVERY: Final = 0.5
"""Seconds of rounds between garbage collections, which run between rounds; a frozen heap makes them cheap."""


def run(job: CellJob, emit: Emit) -> StepOutput[LatencyResult]:
    """Measurements `latency` (and `latency_device` on a GPU), `build`, `session` and
    `first_forward`, in seconds.

    Options: `plan` (fields of bench.plan.Plan; standard when missing) and those of the backend.
    """
    plan = plan_of(job.options)
    phases = Phases(emit)
    subject = runnable_for(job, phases)
    device = job.cell.device
    with subject.inference():
        phases("phase", name="first_forward")
        subject.call()
        subject.synchronize()
        phases(
            "phase", name="prepare"
        )  # ends the first forward, so that it has no setup of ours in it
        found = measure(subject, plan, phases, device=device)
    return StepOutput(
        measurements=(*found, *phases.measurements()),
        result=widened(LatencyResult, subject.setup, plan=plan.name),
        data=subject.data,
    )


def measure(
    subject: Runnable,
    plan: Plan,
    emit: Emit,
    *,
    device: str = CPU,
    clock: Clock = CLOCK,
    calls: Sequence[float] = (),
) -> list[Measurement]:
    """Measure the warm latency of a subject that was called once, in seconds per iteration.

    `calls` are the seconds of calls just before: see `before` of `warm_up`.
    """
    before = replace(settings(), threads=subject.setup.threads, emulated=subject.setup.emulated)
    marks = CudaEvents(device) if is_accelerator(device) else None
    reasons = throttle_reader(device)
    read_sentinel = sentinel(clock)
    cost = overhead(subject.synchronize, clock=clock, marks=marks)
    target = max(plan.round_seconds, plan.overhead_ratio * cost)
    device_seconds: list[float] = []

    def timed(iterations: int) -> float:
        return time_round(subject.call, subject.synchronize, iterations, clock=clock, marks=marks)

    def read_boundary() -> Boundary:
        return Boundary(sentinel=read_sentinel(), counters=read_counters(reasons))

    with paused_garbage_collector():
        emit("phase", name="warmup")
        warm = warm_up(timed, plan, target, clock=clock, before=calls)
        gc.collect()
        emit("phase", name="rounds")
        uncollected = 0.0

        def one_round() -> float:
            nonlocal uncollected
            seconds = timed(warm.iterations)
            uncollected += seconds
            if marks is not None:
                device_seconds.append(marks.seconds())
            return seconds

        def between() -> None:
            nonlocal uncollected
            if uncollected >= COLLECT_EVERY:
                gc.collect()
                uncollected = 0.0

        rounds = take_rounds(one_round, read_boundary, plan, clock=clock, between=between)
    facts = _facts(before, warm, rounds, plan, cost, target)
    result = [_measurement("latency", [r.seconds for r in rounds.rounds], warm, rounds, facts)]
    if device_seconds:
        result.append(
            _measurement("latency_device", device_seconds, warm, rounds, MeasurementFacts())
        )
    return result


def _measurement(
    metric: str, seconds: list[float], warm: Warmup, rounds: Rounds, facts: MeasurementFacts
) -> Measurement:
    kept = (s / warm.iterations for s, keep in zip(seconds, rounds.kept, strict=True) if keep)
    return Measurement(
        metric=metric,
        unit="s",
        samples=tuple(kept),
        warmup=tuple(warm.samples) if metric == "latency" else (),
        iterations_per_sample=warm.iterations,
        facts=facts,
    )


def _facts(
    before: MeasurementFacts, warm: Warmup, rounds: Rounds, plan: Plan, cost: float, target: float
) -> MeasurementFacts:
    readings = [r.before.sentinel for r in rounds.rounds] + [rounds.rounds[-1].after.sentinel]
    first, last = rounds.rounds[0].before.counters, rounds.rounds[-1].after.counters
    gpu = 0
    for r in rounds.rounds:
        gpu |= r.after.counters.gpu
    return replace(
        before,
        plan=plan.name,
        stopped_because=rounds.stopped_because,
        warmup_ended_because=warm.ended_because,
        num_rounds=len(rounds.rounds),
        void_rounds=rounds.num_void,
        void_reasons=rounds.reason_counts(),
        are_voids_kept=rounds.are_voids_kept,
        round_seconds=median([r.seconds for r in rounds.rounds]),
        target_round_seconds=target,
        overhead_seconds=cost,
        sentinel=SentinelReadings(median=median(readings), mad=mad(readings), num=len(readings)),
        wait_share=rounds.wait_share(),
        involuntary_switches=last.switches - first.switches,
        major_faults=last.major_faults - first.major_faults,
        throttled_periods=last.throttled - first.throttled,
        gpu_throttle=tuple(reason_names(gpu)),
    )


# Settings of this process while it is measured.

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
