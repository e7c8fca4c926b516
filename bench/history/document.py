"""Trends as one JSON document; docs/history.md describes it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from bench.history.changes import RATE
from bench.history.query import QueryResult
from bench.history.trend import Trend
from bench.output import json_text

SCHEMA: Final = 1
"""Schema version of this document: increased when a field changes its meaning or is removed."""


def to_json(found: QueryResult) -> str:
    """Return the trends with their points and changes as JSON, with a final newline."""
    return json_text.to_json(to_document(found))


def to_document(found: QueryResult) -> dict[str, Any]:
    """Return the trends as JSON-able data."""
    return {
        "schema": SCHEMA,
        "store": found.store,
        "last": found.last,
        "false_discovery_rate": RATE,
        "environments": {name: dict(facts) for name, facts in found.environments.items()},
        "series": [_series(trend) for trend in found.trends],
    }


def _series(trend: Trend) -> dict[str, Any]:
    series = asdict(trend.series)
    del series["id"]  # valid in this database only
    return {
        **series,
        "basis": trend.basis,
        "is_searched": trend.is_searched,
        "points": [_plain(asdict(point)) for point in trend.points],
        "changes": [
            {
                **asdict(change),
                "since": _time(trend.points[change.at].at),
                "run": trend.points[change.at].run,
                "commits": [trend.points[change.at - 1].commit, trend.points[change.at].commit],
            }
            for change in trend.changes
        ],
    }


def _plain(point: dict[str, Any]) -> dict[str, Any]:
    return {**point, "at": _time(point["at"])}


def _time(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
