"""Worker side. Memory: peak RSS, peak tensor bytes, the CUDA allocator's peaks, and leaks."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

from bench.instruments.cuda import cuda_peaks, live_cuda_bytes
from bench.instruments.garbage import frozen_heap
from bench.instruments.stopwatch import CLOCK, NS, Clock
from bench.plan import Plan, plan_of
from suite.axes import CPU, is_accelerator
from suite.backends.runnable import Runnable, runnable_for
from suite.measurement import Measurement, MeasurementFacts
from suite.process_memory import NotHereError, peak_rss_delta, status_bytes
from suite.results.measuring import MemoryResult
from suite.results.step_output import StepOutput, widened
from suite.worker.protocol import CellJob, Emit

MIN_LEAK_ITERATIONS: Final = 6
"""Fewest points of a slope."""
SETTLED: Final = 8
"""Equal levels in a row after which no more are taken: the slope is zero to the byte."""


def run(job: CellJob, emit: Emit) -> StepOutput[MemoryResult]:
    """Measurements in bytes: `peak_rss_delta`, `peak_tensor_bytes` or `cuda_allocated` and
    `cuda_reserved`, `live_bytes`.

    `absent` has the metrics that cannot be measured here, with the reason. Options: `plan`, and those of
    the backend.
    """
    plan = plan_of(job.options)
    subject = runnable_for(job, emit)
    device = job.cell.device
    with subject.inference():
        found, absent = measure(subject, plan, emit, device=device)
    return StepOutput(
        measurements=tuple(found),
        result=widened(MemoryResult, subject.setup, plan=plan.name, absent=absent),
        data=subject.data,
    )


def measure(
    subject: Runnable, plan: Plan, emit: Emit, *, device: str = CPU, clock: Clock = CLOCK
) -> tuple[list[Measurement], dict[str, str]]:
    """Measure the memory of a subject that was not called yet; returns measurements, and metric -> why it
    is absent.
    """
    peak = measure_peak(subject, plan, emit, clock=clock)
    found, absent = measure_warm(subject, plan, emit, peak.seconds, device=device, clock=clock)
    return [*peak.found, *found], {**peak.absent, **absent}


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """The first calls of a subject, and the rise of resident memory in them."""

    found: tuple[Measurement, ...]
    absent: dict[str, str]
    seconds: tuple[float, ...]
    """Seconds of the calls after the first one."""


def measure_peak(subject: Runnable, plan: Plan, emit: Emit, *, clock: Clock = CLOCK) -> Peak:
    """Measure the peak of resident memory of a subject that was not called yet.

    The first call is inside the peak's window: ONNX Runtime's arena grows in it and keeps its size.
    """
    found: list[Measurement] = []
    absent: dict[str, str] = {}
    seconds: list[float] = []
    first = _first(subject, emit)

    def call() -> None:
        begin = clock()
        _once(subject)
        seconds.append((clock() - begin) * NS)

    emit("phase", name="settle")
    try:
        peak, base = peak_rss_delta(first, call, plan.memory_iterations)
        facts = MeasurementFacts(
            base_bytes=base,
            iterations=plan.memory_iterations,
            swap_bytes=status_bytes("VmSwap"),
        )
        found.append(_measured("peak_rss_delta", [peak], facts))
    except NotHereError as error:
        absent["peak_rss_delta"] = str(error)
        first()
    return Peak(found=tuple(found), absent=absent, seconds=tuple(seconds))


def measure_warm(
    subject: Runnable,
    plan: Plan,
    emit: Emit,
    seconds: Sequence[float] = (),
    *,
    device: str = CPU,
    clock: Clock = CLOCK,
) -> tuple[list[Measurement], dict[str, str]]:
    """Measure the memory of a subject that was called: peak of tensors or of the CUDA allocator, and leak.

    `seconds` of earlier calls: where they tell that a slope does not fit the plan, nothing is called for it.
    """
    found: list[Measurement] = []
    absent: dict[str, str] = {}
    on_gpu = is_accelerator(device)
    counts_cuda = on_gpu and subject.module is not None
    emit("phase", name="peak_tensors")
    (_cuda if on_gpu else _tensors)(subject, plan, device, found, absent)
    emit("phase", name="leak")
    try:
        fits = MIN_LEAK_ITERATIONS * min(seconds, default=0.0) <= plan.memory_seconds
        levels = (
            live_levels(
                lambda: _once(subject),
                (lambda: live_cuda_bytes(device)) if counts_cuda else _collected_rss,
                plan,
                clock=clock,
            )
            if fits
            else []
        )
        if len(levels) >= MIN_LEAK_ITERATIONS:
            of = "CUDA allocator" if counts_cuda else "resident memory"
            found.append(_measured("live_bytes", levels, MeasurementFacts(of=of)))
        else:
            absent["leak"] = (
                f"a slope needs {MIN_LEAK_ITERATIONS} iterations, and they do not fit the"
                f" {plan.memory_seconds:g} s of the plan {plan.name}"
            )
    except NotHereError as error:
        absent["leak"] = str(error)
    return found, absent


def _first(subject: Runnable, emit: Emit) -> Callable[[], None]:
    """Return a function that makes the first forward pass as a phase of its own."""

    def call() -> None:
        emit("phase", name="first_forward")
        _once(subject)
        emit("phase", name="peak_rss")

    return call


def live_levels(
    call: Callable[[], Any], level: Callable[[], int], plan: Plan, *, clock: Clock = CLOCK
) -> list[int]:
    """Return the live bytes after each of up to `plan.leak_iterations` calls; fewer if the plan's time is
    up or the first SETTLED are equal, none if too few would fit.
    """
    levels: list[int] = []
    with frozen_heap():  # objects that are live now are no leak, and scanning them 20 times is slow
        started = clock()
        deadline = started * NS + plan.memory_seconds
        call()  # what the first call after a pause keeps is no leak
        if MIN_LEAK_ITERATIONS * (clock() - started) * NS > plan.memory_seconds:
            return levels
        while len(levels) < plan.leak_iterations and clock() * NS < deadline:
            call()
            levels.append(level())
            if len(levels) == SETTLED and len({*levels}) == 1:
                break
    return levels


def _tensors(
    subject: Runnable,
    plan: Plan,
    device: str,
    found: list[Measurement],
    absent: dict[str, str],
) -> None:
    if subject.module is None:
        absent["peak_tensor_bytes"] = (
            "ONNX Runtime's Python interface does not tell its arena's peak; see peak RSS"
        )
        return
    taken = count_tensor_bytes(lambda: _once(subject))
    facts = MeasurementFacts(
        kept_bytes=taken.kept, total_bytes=taken.total, num_allocations=taken.num_allocations
    )
    found.append(_measured("peak_tensor_bytes", [taken.peak], facts))


def _cuda(
    subject: Runnable,
    plan: Plan,
    device: str,
    found: list[Measurement],
    absent: dict[str, str],
) -> None:
    if subject.module is None:
        reason = "PyTorch's counters do not see ONNX Runtime's own CUDA arena"
        absent.update(cuda_allocated=reason, cuda_reserved=reason)
        return
    allocated, reserved, facts = cuda_peaks(
        lambda: _once(subject), subject.synchronize, device, plan.memory_iterations
    )
    found.append(_measured("cuda_allocated", [allocated], facts))
    found.append(_measured("cuda_reserved", [reserved], facts))


def _once(subject: Runnable) -> None:
    """Make one call and drop its result, as a loop over many batches does."""
    subject.call()
    subject.synchronize()


def _collected_rss() -> int:
    # Not trimmed: walking the heap takes longer than a small model, and freed memory is reused.
    gc.collect()
    return status_bytes("VmRSS")


def _measured(metric: str, values: list[int], facts: MeasurementFacts) -> Measurement:
    return Measurement(metric=metric, unit="B", samples=tuple(map(float, values)), facts=facts)


# Tensor bytes: allocations of PyTorch's CPU allocator during one call.

EVENT = "[memory]"


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorBytes:
    """Bytes allocated by the CPU allocator during one call."""

    peak: int
    """Most that was allocated at once, above the level before the call."""
    kept: int
    """Still allocated after the call's result was dropped; negative if older memory was freed."""
    total: int
    """Sum of all allocations, freed or not."""
    num_allocations: int


def count_tensor_bytes(call: Callable[[], Any]) -> TensorBytes:
    """Count the bytes that one call takes from PyTorch's CPU allocator, temporaries inside kernels
    included.

    Computed from the profiler's allocation events, which are ordered and exact, so that two calls
    of the same work give the same numbers. Python objects, NumPy arrays and ONNX Runtime's arena
    are not included.
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # it reports a missing GPU as an error
    from torch.autograd.profiler import profile

    with profile(use_cpu=True, profile_memory=True) as profiler:
        call()
    events = profiler.kineto_results.events() if profiler.kineto_results else []
    return summarize_changes(
        event.nbytes()
        for event in sorted(events, key=lambda event: event.start_ns())
        if event.name() == EVENT and _is_cpu(event)
    )


def summarize_changes(changes: Iterable[int]) -> TensorBytes:
    """Summarize a sequence of changes: bytes allocated (positive) and freed (negative)."""
    changes = list(changes)
    levels = list(accumulate(changes, initial=0))
    return TensorBytes(
        peak=max(levels),
        kept=levels[-1],
        total=sum(change for change in changes if change > 0),
        num_allocations=sum(change > 0 for change in changes),
    )


def _is_cpu(event: Any) -> bool:
    return str(event.device_type()).endswith("CPU")
