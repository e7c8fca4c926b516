"""Texts of a trend, shared by terminal and HTML."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from bench.history.entry import AS_BUILT
from bench.history.series import Series, SeriesPoint
from bench.history.trend import Change, Trend
from bench.output.names import metric_name, plural
from suite import units

BASES: Final = {
    "ratio": "in sentinels: times over that of a fixed workload beside them, comparable across machines",
    "exact": "exact: any difference is a change",
    "value": "as measured; searched for changes inside one machine only",
}
"""Basis of comparison -> description."""
AXES: Final = ("size", "backend", "device", "dtype", "batch", "variant", "settings")
"""Attributes that distinguish series of one model, besides the metric."""


def titles_of(trends: Sequence[Trend]) -> list[str]:
    """Return for each trend its model and the attributes that distinguish it: `resnet18 onnxruntime`.

    Attributes that all share are left out.
    """
    metrics = {trend.series.metric for trend in trends}
    varying = [axis for axis in AXES if any(len(_values(trends, axis, m)) > 1 for m in metrics)]
    return [
        " ".join(filter(None, (t.series.model, *(_axis(t.series, axis) for axis in varying))))
        for t in trends
    ]


def common_of(trends: Sequence[Trend]) -> str:
    """Return the attributes that all trends share: `base, eager, cpu, float32, b1`."""
    shared = [axis for axis in AXES if len({getattr(t.series, axis) for t in trends}) == 1]
    return ", ".join(filter(None, (_axis(trends[0].series, axis) for axis in shared)))


def _values(trends: Sequence[Trend], axis: str, metric: str) -> set[object]:
    return {getattr(t.series, axis) for t in trends if t.series.metric == metric}


def _axis(series: Series, axis: str) -> str:
    value = getattr(series, axis)
    return f"b{value}" if axis == "batch" else "" if value == AS_BUILT else str(value)


def metric_of(series: Series) -> str:
    """Return the metric's title."""
    return metric_name(series.metric)


def value_of(series: Series, value: float) -> str:
    """Return the value with its unit."""
    try:
        return units.shown(value, series.unit)
    except ValueError:  # a metric of another version or of a user's own
        return f"{units.significant(value)} {series.unit}".strip()


def last_of(trend: Trend) -> str:
    """Return the newest value: as measured, and relative to the sentinel if that is compared."""
    point = trend.points[-1]
    text = value_of(trend.series, point.value)
    if trend.basis == "ratio" and point.ratio is not None:
        basis = "sentinels" if trend.series.unit == "s" else "per sentinel"
        text += f" ({units.significant(point.ratio)} {basis})"
    return text


def compared_of(trend: Trend, value: float) -> str:
    """Return a value of the drawn axis."""
    return units.significant(value) if trend.basis == "ratio" else value_of(trend.series, value)


def mark_of(change: Change) -> str:
    """Return one character: the level rose or fell."""
    return "▲" if change.size > 0 else "▼"


def move_of(trend: Trend, change: Change) -> str:
    """Return `+12%`, or the difference if a level is not positive."""
    if change.factor is not None:
        return units.percent(change.factor - 1, sign=True)
    sign = "+" if change.size > 0 else "-"
    return f"{sign}{compared_of(trend, abs(change.size))}"


def change_of(trend: Trend, change: Change) -> str:
    """Describe a change: size, time, commits, p-value, and other changes at that point."""
    point = trend.points[change.at]
    parts = [f"{mark_of(change)} {move_of(trend, change)} {change.verdict}"]
    parts.append(f"since {moment(point.at)}, run {point.run}")
    if commits := commits_of(trend, change):
        parts.append(commits)
    if change.p_value is not None:
        parts.append(f"p = {units.significant(change.p_value, 1)}")
    if change.surroundings:
        parts.append(f"changed there too: {', '.join(change.surroundings)}")
    return "; ".join(parts)


def commits_of(trend: Trend, change: Change) -> str:
    """Return the last commit before the change and the first after it: `commits 1a2b..3c4d`."""
    before, after = trend.points[change.at - 1], trend.points[change.at]
    if not after.commit or not before.commit:
        return ""
    if before.commit == after.commit:
        return f"commit {_commit(after)} both before and after"
    return f"commits {_commit(before)}..{_commit(after)}"


def span_of(trend: Trend) -> str:
    """Return the number of runs and their dates: `60 runs, 2026-10-01 to 2026-11-29`."""
    first, last = trend.points[0].at, trend.points[-1].at
    count = plural(len(trend.points), "run")
    return f"{count}, {first:%Y-%m-%d} to {last:%Y-%m-%d}"


def moment(at: datetime) -> str:
    """Format a timestamp: `2026-11-20 03:01`, UTC."""
    return f"{at:%Y-%m-%d %H:%M}"


def _commit(point: SeriesPoint) -> str:
    return f"{point.commit[:10]}{' with changes' if point.is_dirty else ''}"
