"""Trends: the points of a series over time, their comparable values, and changes of level."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bench.history.changes import MIN_VALUES, RATE, Shift, Track, find_shifts
from bench.history.rows import TIMES, UNKNOWN
from bench.history.series import Series, SeriesPoint
from bench.metrics import METRICS

MIN_MOVE: Final = math.log(1.02)
"""Smallest reported shift, 2%: two builds of the same code do not agree better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of level."""

    at: int
    """Index of the first point after it."""
    factor: float | None
    """New level divided by the old; None if a level is 0 or negative."""
    size: float
    """New level minus the old, in the unit of the compared values (the series' unit, or sentinels)."""
    verdict: str
    """worse, better, or changed for a metric without a direction."""
    p_value: float | None
    """None for deterministic metrics, where any difference is a change."""
    surroundings: tuple[str, ...] = ()
    """Other changes at that point, of the machine and its software, which may be the cause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """One series over time."""

    series: Series
    points: tuple[SeriesPoint, ...]
    """Oldest first."""
    basis: str
    """What is compared: ratio (times relative to the sentinel, across machines), exact (any difference,
    across machines) or value (within one machine only)."""
    changes: tuple[Change, ...] = ()
    """Oldest first."""
    is_searched: bool = False
    """False if there are too few points to find a change."""

    @property
    def compared(self) -> tuple[float | None, ...]:
        """The compared and drawn value of each point; None for one without a ratio."""
        return tuple(p.ratio if self.basis == "ratio" else p.value for p in self.points)


def find_trends(
    found: Sequence[tuple[Series, tuple[SeriesPoint, ...]]],
    environments: Mapping[str, Mapping[str, Any]],
    *,
    rate: float = RATE,
) -> list[Trend]:
    """Return the trends of the series, searched as one family at this false discovery rate."""
    bases = [comparison_basis(series, points) for series, points in found]
    places = [_places(points, basis) for (_, points), basis in zip(found, bases, strict=True)]
    tracks = [
        _track(points, basis, members)
        for (_, points), basis, groups in zip(found, bases, places, strict=True)
        for members in groups
    ]
    rest = iter(zip(tracks, find_shifts(tracks, rate), strict=True))
    result = []
    for (series, points), basis, groups in zip(found, bases, places, strict=True):
        changes = _exact(series, points, environments) if basis == "exact" else []
        is_searched = basis == "exact"
        for members in groups:
            track, changed = next(rest)
            is_searched |= len(track.values) >= MIN_VALUES
            changes += [
                _change(series, points, members, shift, environments, is_log=track.least > 0)
                for shift in changed
            ]
        result.append(
            Trend(
                series=series,
                points=points,
                basis=basis,
                changes=tuple(sorted(changes, key=lambda change: change.at)),
                is_searched=is_searched,
            )
        )
    return result


def comparison_basis(series: Series, points: Sequence[SeriesPoint]) -> str:
    """Return what is compared: ratio, exact or value."""
    metric = METRICS.get(series.metric)
    if metric and metric.is_deterministic:
        return "exact"
    has_ratio = series.unit in TIMES and sum(p.ratio is not None for p in points)
    return "ratio" if has_ratio and 2 * has_ratio >= len(points) else "value"


def _places(points: Sequence[SeriesPoint], basis: str) -> list[list[int]]:
    """Return groups of indices of points that are compared with each other: all, or one group per machine."""
    if basis == "exact":
        return []
    if basis == "ratio":
        return [[i for i, point in enumerate(points) if point.ratio is not None]]
    machines = dict.fromkeys(p.fingerprint for p in points if p.fingerprint != UNKNOWN)
    return [[i for i, p in enumerate(points) if p.fingerprint == name] for name in machines]


def _track(points: Sequence[SeriesPoint], basis: str, members: Sequence[int]) -> Track:
    values = [points[i].ratio if basis == "ratio" else points[i].value for i in members]
    known = [value for value in values if value is not None]
    groups = [points[i].fingerprint for i in members]
    if min(known, default=0.0) > 0:
        return Track(values=[math.log(v) for v in known], groups=groups, least=MIN_MOVE)
    return Track(values=known, groups=groups)


def _change(
    series: Series,
    points: Sequence[SeriesPoint],
    members: Sequence[int],
    shift: Shift,
    environments: Mapping[str, Mapping[str, Any]],
    *,
    is_log: bool,
) -> Change:
    at, before = members[shift.at], members[shift.at - 1]
    same = shift.is_within or points[at].fingerprint == points[before].fingerprint
    size = math.exp(shift.before) * math.expm1(shift.size) if is_log else shift.size
    return Change(
        at=at,
        factor=math.exp(shift.size) if is_log else None,
        size=size,
        verdict=_verdict(series, size),
        p_value=shift.p_value,
        surroundings=() if same else _surroundings(points[before], points[at], environments),
    )


def _exact(
    series: Series, points: Sequence[SeriesPoint], environments: Mapping[str, Mapping[str, Any]]
) -> list[Change]:
    found = []
    begin = 0
    for at in range(1, len(points)):
        old, new = points[at - 1], points[at]
        if new.value == old.value:
            continue
        # A machine that also had the old value did not cause the change.
        same = any(point.fingerprint == new.fingerprint for point in points[begin:at])
        begin = at
        found.append(
            Change(
                at=at,
                factor=new.value / old.value if old.value > 0 and new.value > 0 else None,
                size=new.value - old.value,
                verdict=_verdict(series, new.value - old.value),
                p_value=None,
                surroundings=() if same else _surroundings(old, new, environments),
            )
        )
    return found


def _verdict(series: Series, size: float) -> str:
    metric = METRICS.get(series.metric)
    direction = metric.direction if metric else "none"
    if direction == "none":
        return "changed"
    return "worse" if (size > 0) == (direction == "lower") else "better"


def _surroundings(
    old: SeriesPoint, new: SeriesPoint, environments: Mapping[str, Mapping[str, Any]]
) -> tuple[str, ...]:
    """Return the differences between two machines: `torch 2.14.0 -> 2.15.0`."""
    before, after = environments.get(old.fingerprint, {}), environments.get(new.fingerprint, {})
    labels = [name for name in dict.fromkeys((*before, *after)) if name != "Fingerprint"]
    differences = [
        f"{name} {before.get(name, 'none')} -> {after.get(name, 'none')}"
        for name in labels
        if before.get(name) != after.get(name)
    ]
    return tuple(differences) or (f"environment {old.fingerprint} -> {new.fingerprint}",)
