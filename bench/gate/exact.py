"""Comparison of single values: deterministic metrics, memory, and quality."""

from __future__ import annotations

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
        and (found := FORMULAS[row.name](measurement, {})) is not None
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


QUALITY: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "train": (("trained",), "pruning"),
    "prune": (("recovered", "pruned"), "pruning"),
    "quantize": (("quantized", "int8", "after"), "quantization"),
}
"""Stage -> names under which its record keeps the quality at its end, and the part of the size's record that says how
much of it may be lost."""


def compare_quality(
    base: Mapping[str, Record], head: Mapping[str, Record], specs: Mapping[str, ModelSpec]
) -> dict[str, Exact]:
    """Return record key -> comparison of the quality that both arms reached in a stage.

    A quality loss beyond what the model's record allows is a regression, however fast the model is.
    """
    found = {}
    for key, after in head.items():
        before = base.get(key)
        stage = QUALITY.get(after.step)
        if stage is None or before is None or after.cell.model not in specs:
            continue
        values = [_quality(record, stage[0]) for record in (before, after)]
        if values[0] is None or values[1] is None:
            continue
        spec = specs[after.cell.model]
        part = getattr(spec.sizes[after.cell.size], stage[1])
        lost = drop(spec.task, values[0], values[1])
        verdict = Verdict.REGRESSED if lost > part.max_drop else Verdict.NO_REGRESSION
        if -lost > part.max_drop:
            verdict = Verdict.IMPROVED
        found[key] = Exact(
            metric=f"quality after {after.step}",
            unit=change_unit(spec.task),
            base=values[0],
            head=values[1],
            limit=part.max_drop,
            verdict=verdict,
            note=f"{-lost:+.3g} {change_unit(spec.task)}, {part.max_drop:g} may be lost",
        )
    return found


def _quality(record: Record, names: Sequence[str]) -> float | None:
    metric = record.facts.get("metric")
    if not isinstance(metric, Mapping) or not record.outcome.has_run:
        return None
    return next((float(metric[name]) for name in names if name in metric), None)
