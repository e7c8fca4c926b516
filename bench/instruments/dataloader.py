"""Worker side. Data loader: samples per second by the number of loader workers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

from bench.plan import plan_of
from bench.stats import relative_interval
from suite.axes import is_accelerator
from suite.measurement import Measurement, MeasurementFacts
from suite.origins.find import spec_of
from suite.results.measuring import DataLoaderResult
from suite.results.step_output import StepOutput
from suite.states import store
from suite.tasks.batch import Batch
from suite.training.loaders import stream
from suite.worker.protocol import CellJob, Emit

WORKERS: Final = (0, 1, 2, 4, 8)
"""Numbers of loader workers to measure, up to the number of cores."""
ENOUGH: Final = 10
"""Batches before which the interval on the median is not asked for."""
PRECISE: Final = 0.05
"""Half width of that interval, as a share of the median, with which nobody chooses another number of workers."""
SHARE: Final = 0.375
"""Share of the plan's cap for one number of workers."""
WARM: Final = 2
"""Batches before timing starts: workers start, caches fill."""


def run(job: CellJob, emit: Emit) -> StepOutput[DataLoaderResult]:
    """Measurements `loading` (samples per second, one sample per batch), one per number of loader workers; on CUDA with
    pinned memory.
    """
    plan = plan_of(job.options)
    spec = spec_of(job)
    settings = spec.sizes[job.cell.size].training
    pinned = is_accelerator(job.cell.device)
    cores = job.options.threads
    rows = []
    for number in WORKERS:
        if number > cores:
            break
        emit("phase", name=f"workers_{number}")
        batches = batches_of(job, num_workers=number, pin_memory=pinned)
        rates = rates_of(batches, SHARE * plan.cap_seconds)
        rows.append(
            Measurement(
                metric="loading",
                unit="1/s",
                samples=tuple(rates),
                facts=MeasurementFacts(num_workers=number, pinned=pinned, batch=settings.batch),
            )
        )
    return StepOutput(
        measurements=tuple(rows), result=DataLoaderResult(batch=settings.batch, pinned=pinned)
    )


def batches_of(job: CellJob, *, num_workers: int, pin_memory: bool = False) -> Iterator[Batch]:
    """Return the model's training batches without end."""
    spec = spec_of(job)
    return stream(
        spec,
        job.cell.size,
        store.source_of(job, spec),
        batch=spec.sizes[job.cell.size].training.batch,
        seed=job.options.seed,
        num_workers=num_workers,
        pin_memory=pin_memory,
    )


def rates_of(
    batches: Iterator[Batch], seconds: float, clock: Any = time.perf_counter
) -> list[float]:
    """Return samples per second of every batch within `seconds`, at least three, after WARM untimed ones; fewer seconds
    once the median is known within PRECISE.
    """
    for _ in range(WARM):
        next(batches)
    found: list[float] = []
    begin = clock()
    while len(found) < 3 or clock() - begin < seconds:
        before = clock()
        batch = next(batches)
        found.append(batch.num_samples / max(clock() - before, 1e-9))
        if len(found) >= ENOUGH and relative_interval(found) <= PRECISE:
            break
    return found
