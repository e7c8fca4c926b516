"""Series of a history and their points."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from sqlalchemy import Connection, select

from bench.history.errors import HistoryError
from bench.history.tables import ENVIRONMENTS, MEASUREMENTS, RECORDS, RUNS, SERIES
from bench.metrics import METRICS


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One thing that is followed over time."""

    id: int
    cell: str
    model: str
    size: str
    backend: str
    device: str
    dtype: str
    batch: int
    variant: str
    step: str
    metric: str
    unit: str
    settings: str
    """Other settings that determine the value, e.g. `data=digits threads=2`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesPoint:
    """One point of a series, and its run."""

    at: datetime
    value: float
    """In the unit of the series."""
    low: float | None
    high: float | None
    sentinel: float | None
    """Seconds of the sentinel workload during the measurement."""
    ratio: float | None
    """The value relative to the sentinel."""
    fingerprint: str
    run: str
    commit: str
    is_dirty: bool | None


def find_series(
    connection: Connection, models: Sequence[str], metrics: Sequence[str]
) -> list[Series]:
    """Return the series of these models (names or globs; none = all) and metrics (none = all), sorted by name.

    A metric that several steps record is taken from the step of its instrument. Raises
    HistoryError, with similar names, if nothing matches.
    """
    rows = connection.execute(
        select(*(SERIES.c[field.name] for field in fields(Series))).order_by(
            SERIES.c.model, SERIES.c.cell, SERIES.c.metric, SERIES.c.settings
        )
    ).mappings()
    every = [Series(**row) for row in rows]
    if not every:
        raise HistoryError(
            "it is empty; `pytest bench` adds a run, `history record RUN` an earlier"
        )
    chosen = [s for s in every if not models or any(_fits(s.model, m) for m in models)]
    for pattern in models:
        if not any(_fits(s.model, pattern) for s in every):
            raise HistoryError(_unknown("model", pattern, {s.model for s in every}))
    for metric in metrics:
        if not any(s.metric == metric for s in chosen):
            raise HistoryError(_unknown("metric", metric, {s.metric for s in chosen}))
    return [s for s in chosen if (not metrics or s.metric in metrics) and _is_proper(s)]


def load_points(connection: Connection, series: Series, last: int) -> tuple[SeriesPoint, ...]:
    """Return the newest `last` points of the series, oldest first."""
    newest = (
        select(MEASUREMENTS)
        .where(MEASUREMENTS.c.series_id == series.id)
        .order_by(MEASUREMENTS.c.at.desc(), MEASUREMENTS.c.record_id.desc())
        .limit(last)
        .subquery()
    )
    statement = (
        select(
            *(newest.c[name] for name in ("at", "value", "low", "high", "sentinel", "ratio")),
            ENVIRONMENTS.c.fingerprint,
            RUNS.c.name,
            RUNS.c.commit_id,
            RUNS.c.is_dirty,
        )
        .join(RECORDS, RECORDS.c.id == newest.c.record_id)
        .join(RUNS, RUNS.c.id == RECORDS.c.run_id)
        .join(ENVIRONMENTS, ENVIRONMENTS.c.id == RECORDS.c.environment_id)
        .order_by(newest.c.at, newest.c.record_id)
    )
    return tuple(
        SeriesPoint(
            at=row.at,
            value=row.value,
            low=row.low,
            high=row.high,
            sentinel=row.sentinel,
            ratio=row.ratio,
            fingerprint=row.fingerprint,
            run=row.name,
            commit=row.commit_id or "",
            is_dirty=row.is_dirty,
        )
        for row in connection.execute(statement)
    )


def load_environments(connection: Connection) -> dict[str, dict[str, Any]]:
    """Return fingerprint -> description of the machine and its software as label -> value."""
    rows = connection.execute(select(ENVIRONMENTS.c.fingerprint, ENVIRONMENTS.c.facts))
    return {row.fingerprint: dict(row.facts) for row in rows}


def _fits(model: str, pattern: str) -> bool:
    return model == pattern or fnmatchcase(model, pattern)  # a benchmark's name may have brackets


def _is_proper(series: Series) -> bool:
    known = METRICS.get(series.metric)
    return known is None or series.step == known.instrument or series.step not in _INSTRUMENTS


_INSTRUMENTS = frozenset(metric.instrument for metric in METRICS.values())


def _unknown(what: str, asked: str, there: set[str]) -> str:
    near = difflib.get_close_matches(asked, there, n=3) or sorted(there)[:12]
    more = " ..." if len(near) < len(there) and len(near) == 12 else ""
    return f"it has no {what} {asked!r}; it has {', '.join(near)}{more}"
