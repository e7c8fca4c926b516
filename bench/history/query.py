"""Query of a history: trends of models and metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from bench.history.database import address_of, read, shown
from bench.history.series import find_series, load_environments, load_points
from bench.history.trend import Trend, find_trends

LAST: Final = 200
"""Default number of newest points of a series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryResult:
    """Trends, and the history that they come from."""

    store: str
    """For display: the file, or the address without its password."""
    trends: tuple[Trend, ...]
    environments: Mapping[str, Mapping[str, Any]]
    """Fingerprint -> description, of the machines of all points."""
    last: int


def query_trends(
    store: str, models: Sequence[str] = (), metrics: Sequence[str] = (), *, last: int = LAST
) -> QueryResult:
    """Return the trends, searched for changes as one family. Raises HistoryError if nothing matches."""

    def found(connection: Connection) -> tuple[list[Trend], dict[str, dict[str, Any]]]:
        machines = load_environments(connection)
        series = find_series(connection, models, metrics)
        points = [(one, load_points(connection, one, last)) for one in series]
        return find_trends([pair for pair in points if pair[1]], machines), machines

    trends, machines = read(store, found)
    used = {point.fingerprint for trend in trends for point in trend.points}
    return QueryResult(
        store=shown(address_of(store)),
        trends=tuple(trends),
        environments={name: machines.get(name, {}) for name in sorted(used)},
        last=last,
    )
