"""Lanes of the report: the results of one backend for one cell."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from bench.derived_metrics import derive, throughput, throughput_unit
from bench.metrics import METRICS
from bench.paired_ratio import paired_ratio, verdict_of
from bench.stats import CONFIDENCE, Estimate, median
from bench.summary.elements import Doubt, Quantity, Timing
from bench.summary.generation import generated_of
from bench.summary.lane_facts import compiled_of, likeness_of, ran_of
from bench.summary.model import Comparison, Lane, Speedup
from bench.summary.numbers import ratio_ends
from bench.summary.step_outcomes import step_of
from suite.axes import DTYPES, ORIGINAL, REFERENCE
from suite.cell import Cell
from suite.record import Measurement, Record
from suite.results.measuring import MemoryResult, PairedArm, PairsResult

Doubter = Callable[[Measurement, PairedArm | None], Sequence[Doubt]]
"""Returns the reasons to distrust a measurement under the plan in force, and for a latency those that the turns of the
same cell give, where there are some."""

DRAWN: Final = 120
"""Samples kept for drawing; more cannot be shown."""


def arms_of(records: Iterable[Record]) -> dict[str, PairedArm]:
    """Return cell id -> its turns, of all cells in the records of the step `pairs`."""
    found: dict[str, PairedArm] = {}
    for record in records:
        if isinstance(record.result, PairsResult) and record.outcome.has_run:
            own = [record.result.own] if record.result.own else []
            found |= {arm.cell: arm for arm in (*record.result.references, *own)}
    return found


def lane_of(
    backend: str,
    records: Sequence[Record],
    doubter: Doubter,
    arms: Mapping[str, PairedArm],
) -> Lane:
    """Return the combined result of these records, one per step of one cell. Steps that did not pass give no
    numbers. `arms` are the turns of the row's cells.
    """
    cell = records[0].cell.id
    ran = [record for record in records if record.outcome.has_run]
    latency = next((r for r in ran if r.step == "latency"), None)
    return Lane(
        backend=backend,
        cell=cell,
        steps=tuple(step_of(record) for record in records),
        timing=timing_of(latency) if latency else None,
        memory=_quantities(ran, "memory"),
        coldstart=_quantities(ran, "coldstart"),
        generation=generated_of(ran),
        comparisons=comparisons_of(next((r for r in ran if r.step == "pairs"), None)),
        absent=_absent(ran),
        ran=ran_of(ran),
        likeness=likeness_of(records),
        compiled=compiled_of(ran),
        doubts=tuple(
            doubt
            for record in ran
            for m in record.measurements
            for doubt in doubter(m, arms.get(cell) if m.metric == "latency" else None)
        ),
    )


def comparisons_of(record: Record | None) -> tuple[Comparison, ...]:
    """Return the comparisons in the record of the step `pairs`; none if it did not pass."""
    result = record.result if record and record.outcome.has_run else None
    if not isinstance(result, PairsResult) or result.own is None:
        return ()
    found = []
    for reference in result.references:
        ratio = paired_ratio(reference, result.own)
        if ratio is not None:
            cell = Cell.parse(reference.cell)
            found.append(
                Comparison(
                    variant=cell.variant,
                    backend=cell.backend,
                    dtype=cell.dtype,
                    ratio=ratio.value,
                    low=ratio.low,
                    high=ratio.high,
                    num_pairs=ratio.num_pairs,
                    num_void=ratio.num_void,
                )
            )
    return tuple(found)


def speedups_of(
    lanes: Sequence[Lane], variant: str = ORIGINAL, dtype: str = DTYPES[0]
) -> tuple[Speedup, ...]:
    """Return the speedup of every other backend over eager: in turns if both were measured so, else from the medians of
    their own processes; empty if there is neither. `dtype` is that of all lanes.
    """
    reference = next((lane for lane in lanes if lane.backend == REFERENCE), None)
    found = []
    for lane in lanes:
        if lane.backend == REFERENCE:
            continue
        pair = lane.against(variant, REFERENCE)
        if pair is not None:
            found.append(
                Speedup(
                    backend=lane.backend,
                    over=REFERENCE,
                    ratio=pair.ratio,
                    low=pair.low,
                    high=pair.high,
                    verdict=verdict_of(pair.low, pair.high),
                    num_pairs=pair.num_pairs,
                    over_dtype=pair.dtype,
                )
            )
        elif reference and (speedup := _across(reference, lane, dtype)):
            found.append(speedup)
    return tuple(found)


def _across(reference: Lane, lane: Lane, dtype: str) -> Speedup | None:
    """Return the ratio of the medians of two processes; None if one has none."""
    before, after = reference.timing, lane.timing
    if not (before and after and before.p50 > 0 and after.p50 > 0):
        return None
    low = high = None
    if reference.has_known_medians and lane.has_known_medians:
        low, high = ratio_ends(before, after)
    return Speedup(
        backend=lane.backend,
        over=REFERENCE,
        ratio=before.p50 / after.p50,
        low=low,
        high=high,
        verdict=verdict_of(low, high),
        over_dtype=dtype,
    )


def timing_of(
    record: Record, metric: str = "latency", rate_metric: str = "throughput"
) -> Timing | None:
    """Return the record's samples of that metric in seconds, with their rate per second; None without finite ones."""
    measurement = record.measurement(metric)
    if measurement is None or not _finite(measurement.samples):
        return None
    middle, tail = derive(record, metric), derive(record, metric, 0.9)
    if middle is None:
        return None
    rate = _rate(record, rate_metric)
    return Timing(
        p50=middle.value,
        low=middle.low,
        high=middle.high,
        confidence=CONFIDENCE,
        p90=tail.value if tail else None,
        num_samples=len(measurement.samples),
        iterations_per_sample=measurement.iterations_per_sample,
        throughput=rate.value if rate else None,
        throughput_unit=throughput_unit(record.result),
        stopped=measurement.facts.stopped_because.replace("_", " "),
        samples=_thinned(measurement.samples),
    )


def _rate(record: Record, metric: str) -> Estimate | None:
    source = record.measurement(METRICS[metric].derived_from)
    return throughput(source, record.result) if source else None


def _absent(records: Sequence[Record]) -> dict[str, str]:
    """Return unavailable metric -> reason."""
    found: dict[str, str] = {}
    for record in records:
        if isinstance(record.result, MemoryResult):
            found |= record.result.absent
    return found


def _quantities(records: Sequence[Record], step: str) -> tuple[Quantity, ...]:
    found = []
    for record in records:
        if record.step != step:
            continue
        taken = {m.metric: m for m in record.measurements}
        derived = [m.name for m in METRICS.values() if m.derived_from in taken]
        hidden = {METRICS[name].derived_from for name in derived}
        for name in (*(n for n in taken if n not in hidden), *derived):
            quantity = quantity_of(record, name)
            if quantity is not None:
                found.append(quantity)
    return tuple(found)


def quantity_of(record: Record, name: str) -> Quantity | None:
    """Return the record's value of that metric as one number; None without a finite one."""
    if name in METRICS:
        estimate = derive(record, name)
        if estimate is None or not math.isfinite(estimate.value):
            return None
        return Quantity(
            metric=name,
            value=estimate.value,
            unit=METRICS[name].unit,
            num_samples=estimate.num_samples,
        )
    measurement = record.measurement(name)
    if measurement is None or not _finite(measurement.samples):
        return None
    return Quantity(
        metric=name,
        value=median(measurement.samples),
        unit=measurement.unit,
        num_samples=len(measurement.samples),
    )


def _finite(samples: Sequence[float]) -> bool:
    return bool(samples) and all(math.isfinite(sample) for sample in samples)


def _thinned(samples: Sequence[float]) -> tuple[float, ...]:
    step = max(1, math.ceil(len(samples) / DRAWN))
    return tuple(samples[::step])
