"""Comparison of single values: deterministic metrics, memory, and quality."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from bench.derived_metrics import FORMULAS
from bench.gate.row import Exact
from bench.gate.thresholds import Limits
from bench.gate.verdict import Verdict
from bench.metrics import METRICS
from bench.stats import median
from suite import units
from suite.quality import change_unit, drop
from suite.record import Measurement, Record
from suite.results.prune import PruneQuality, PruneResult
from suite.results.quantize import QuantizeQuality, QuantizeResult
from suite.results.train import TrainQuality, TrainResult
from suite.spec import ModelSpec

NOISY: Final = tuple(row.name for row in METRICS.values() if row.is_remeasured)
"""Metrics that differ between fresh processes of the same code; a regression of one is measured again."""
MIN_PROCESSES: Final = 4
"""Fewest processes of each arm: ranges of four against four do not overlap by chance once in 70 times."""

Values = Mapping[str, tuple[str, float]]
"""Metric -> unit and value."""


def metric_values(records: Iterable[Record]) -> dict[str, tuple[str, float]]:
    """Return metric -> (unit, value) of the records: medians, and derived metrics that have a threshold."""
    found: dict[str, tuple[str, float]] = {}
    for record in records:
        for measurement in record.measurements:
            for metric, value in _values(measurement).items():
                found[metric] = value
    return found


def _values(measurement: Measurement) -> dict[str, tuple[str, float]]:
    derived = {
        row.name: (row.unit, found.value)
        for row in METRICS.values()
        if row.derived_from == measurement.metric
        and row.threshold is not None
        and (found := FORMULAS[row.name](measurement, None)) is not None
    }
    return derived or {measurement.metric: (measurement.unit, median(measurement.samples))}


def median_values(repeats: Sequence[Values]) -> dict[str, tuple[str, float]]:
    """Return metric -> median over fresh processes, of the metrics that all of them have."""
    if not repeats:
        return {}
    common = set.intersection(*(set(values) for values in repeats))
    return {
        metric: (unit, median([values[metric][1] for values in repeats]))
        for metric, (unit, _) in repeats[0].items()
        if metric in common
    }


def compare_repeats(base: Sequence[Values], head: Sequence[Values], limits: Limits) -> list[Exact]:
    """Compare several fresh processes of each arm; one row per metric.

    The medians are compared. A difference beyond the limit counts if the arms' ranges do not overlap, which five
    against five do by chance once in 252 times for any distribution; if they overlap, it is INCONCLUSIVE: an
    allocator that takes one of two paths gives two values for one program.
    """
    return [
        _require_separation(
            exact, *([values[exact.metric][1] for values in arm] for arm in (base, head))
        )
        for exact in compare_values(median_values(base), median_values(head), limits)
    ]


def _require_separation(exact: Exact, base: Sequence[float], head: Sequence[float]) -> Exact:
    ranges = [units.shown(v, exact.unit) for v in (min(base), max(base), min(head), max(head))]
    note = "middle of {}, {} to {} against {} to {}".format(len(head), *ranges)
    are_apart = max(base) < min(head) or max(head) < min(base)
    is_known = are_apart and min(len(base), len(head)) >= MIN_PROCESSES
    if exact.verdict is Verdict.NO_REGRESSION or is_known:
        return replace(exact, note=note)
    return replace(exact, note=f"{note}: cannot be told apart", verdict=Verdict.INCONCLUSIVE)


def compare_values(base: Values, head: Values, limits: Limits) -> list[Exact]:
    """Compare the metrics that both arms have and that have a threshold, in the order of the thresholds."""
    return [
        _compared(metric, base[metric], head[metric], limits.shares[metric])
        for metric in limits.shares
        if metric in base and metric in head
    ]


def _compared(metric: str, base: tuple[str, float], head: tuple[str, float], limit: float) -> Exact:
    before, after = base[1], head[1]
    allowed = max(limit * abs(before), METRICS[metric].floor)
    change = after - before
    verdict = Verdict.NO_REGRESSION
    if change > allowed:
        verdict = Verdict.REGRESSED
    elif change < -allowed:
        verdict = Verdict.IMPROVED
    return Exact(metric=metric, unit=head[0], base=before, head=after, limit=limit, verdict=verdict)


def compare_quality(
    base: Mapping[str, Record], head: Mapping[str, Record], specs: Mapping[str, ModelSpec]
) -> dict[str, Exact]:
    """Return record key -> comparison of the quality that both arms reached in a stage.

    A quality loss beyond what the model's record allows is a regression, however fast the model is.
    """
    found = {}
    for key, after in head.items():
        before = base.get(key)
        if before is None or after.cell.model not in specs:
            continue
        values = (_quality(before), _quality(after))
        if values[0] is None or values[1] is None:
            continue
        spec = specs[after.cell.model]
        unit = change_unit(spec.scale)
        limit = _allowed_drop(after, spec)
        verdict, lost = _judge_quality(spec, values[0], values[1], limit)
        found[key] = Exact(
            metric=f"quality after {after.step}",
            unit=unit,
            base=values[0],
            head=values[1],
            limit=limit,
            verdict=verdict,
            note=f"{-lost:+.3g} {unit}, {limit:g} may be lost",
        )
    return found


def _judge_quality(
    spec: ModelSpec, before: float, after: float, limit: float
) -> tuple[Verdict, float]:
    """Return the verdict and how much worse the quality is; a quality that is not a number is never fine."""
    lost = drop(spec.scale, before, after)
    if math.isfinite(before) and not math.isfinite(after):
        return Verdict.REGRESSED, lost
    if not math.isfinite(lost):
        return Verdict.INCONCLUSIVE, lost
    if abs(lost) <= limit:
        return Verdict.NO_REGRESSION, lost
    return (Verdict.REGRESSED if lost > 0 else Verdict.IMPROVED), lost


def _quality(record: Record) -> float | None:
    """Return the task's metric at the end of a stage that makes a state; None for other steps and failed ones."""
    if not record.outcome.has_run:
        return None
    match record.result:
        case TrainResult(metric=TrainQuality() as metric):
            return metric.trained
        case PruneResult(metric=PruneQuality() as metric):
            return metric.pruned if metric.recovered is None else metric.recovered
        case QuantizeResult(metric=QuantizeQuality() as metric):
            return metric.quantized
    return None


def _allowed_drop(record: Record, spec: ModelSpec) -> float:
    """Return how much quality the model's record allows a state to lose: of a training as much as a pruning may."""
    size = spec.sizes[record.cell.size]
    is_quantized = isinstance(record.result, QuantizeResult)
    return size.quantization.max_drop if is_quantized else size.pruning.max_drop
