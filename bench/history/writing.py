"""Writing of an entry to the tables; repeating it changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Table, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from bench.history.compression import pack
from bench.history.entry import Point, RecordEntry, RunEntry
from bench.history.tables import ENVIRONMENTS, MEASUREMENTS, RECORDS, RUNS, SAMPLES, SERIES
from diagnostics.codec import encode

CHUNK: Final = 500
"""Values in one IN list: SQLite allows 32,766 in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Numbers of added and known records."""

    num_records: int
    num_points: int
    num_known: int
    """Records that were stored already, unchanged."""


def write_entry(connection: Connection, entry: RunEntry) -> Written:
    """Write the records of this run that are not stored yet.

    A stored record with the same digest is kept; one with another digest was measured again when
    the run was resumed, and replaces it.
    """
    run = _run(connection, entry)
    known = {
        (row.cell, row.step): (row.id, row.digest)
        for row in connection.execute(
            select(RECORDS.c.id, RECORDS.c.cell, RECORDS.c.step, RECORDS.c.digest).where(
                RECORDS.c.run_id == run
            )
        )
    }
    fresh = [r for r in entry.records if _is_fresh(r, known.get((r.cell, r.step)))]
    replaced = [known[r.cell, r.step][0] for r in fresh if (r.cell, r.step) in known]
    for part in _chunks(replaced):
        connection.execute(delete(RECORDS).where(RECORDS.c.id.in_(part)))
    if not fresh:
        return Written(num_records=0, num_points=0, num_known=len(entry.records))
    _insert_points(connection, fresh, _insert_records(connection, entry, run, fresh))
    return Written(
        num_records=len(fresh),
        num_points=sum(len(record.points) for record in fresh),
        num_known=len(entry.records) - len(fresh),
    )


def _is_fresh(record: RecordEntry, known: tuple[int, str] | None) -> bool:
    return known is None or (known[1] != record.digest and not record.is_partial)


def _run(connection: Connection, entry: RunEntry) -> int:
    """Return the id of the run's row, locked: another process that records the same run waits here."""
    row = {
        "key": entry.key,
        "name": entry.name,
        "source": entry.source,
        "started_at": entry.started_at,
        "finished_at": entry.finished_at,
        "recorded_at": entry.recorded_at,
        "facts": dict(entry.facts),
        "commit_id": entry.commit or None,
        "is_dirty": entry.is_dirty,
    }
    _insert_new(connection, RUNS, "key", [row])
    found = connection.execute(
        select(RUNS.c.id, RUNS.c.finished_at).where(RUNS.c.key == entry.key).with_for_update()
    ).one()
    if (
        entry.finished_at is not None and found.finished_at is None
    ):  # the run was resumed and finished since
        connection.execute(
            update(RUNS).where(RUNS.c.id == found.id).values(finished_at=entry.finished_at)
        )
    return int(found.id)


def _insert_records(
    connection: Connection, entry: RunEntry, run: int, records: Sequence[RecordEntry]
) -> list[int]:
    """Return the ids of the records, in their order."""
    machines = {
        name: {"fingerprint": name, "facts": dict(entry.environments.get(name, {}))}
        for name in {record.fingerprint for record in records}
    }
    environments = _ids(connection, ENVIRONMENTS, "fingerprint", machines)
    rows = [
        {
            "run_id": run,
            "environment_id": environments[record.fingerprint],
            "cell": record.cell,
            "step": record.step,
            "outcome": record.outcome,
            "reason": record.reason,
            "at": record.at,
            "seconds": record.seconds,
            "digest": record.digest,
            "facts": dict(record.facts),
        }
        for record in records
    ]
    statement = insert(RECORDS).returning(RECORDS.c.id, sort_by_parameter_order=True)
    return list(connection.execute(statement, rows).scalars())


def _insert_points(
    connection: Connection, records: Sequence[RecordEntry], ids: Sequence[int]
) -> None:
    wanted = {
        point.series.name: _series_row(point) for record in records for point in record.points
    }
    series = _ids(connection, SERIES, "name", wanted)
    places = [
        (record_id, series[point.series.name], record, point)
        for record_id, record in zip(ids, records, strict=True)
        for point in record.points
    ]
    measurements = [
        {
            "record_id": record_id,
            "series_id": series_id,
            "at": record.at,
            "value": point.value,
            "low": point.low,
            "high": point.high,
            "p90": point.p90,
            "p99": point.p99,
            "num_samples": point.num_samples,
            "sentinel": point.sentinel,
            "ratio": point.ratio,
        }
        for record_id, series_id, record, point in places
    ]
    samples = [
        {
            "record_id": record_id,
            "series_id": series_id,
            "iterations": point.iterations,
            "packed": pack(point.samples),
        }
        for record_id, series_id, _, point in places
        if point.samples
    ]
    for table, rows in ((MEASUREMENTS, measurements), (SAMPLES, samples)):
        if rows:
            connection.execute(insert(table), rows)


def _series_row(point: Point) -> dict[str, Any]:
    return {"name": point.series.name, **encode(point.series)}


def _ids(
    connection: Connection, table: Table, column: str, rows: Mapping[str, Mapping[str, Any]]
) -> dict[str, int]:
    """Return name -> id of the rows with these names, inserting missing ones."""
    found = _known_ids(connection, table, column, rows)
    # Sorted, so that two concurrent writers do not deadlock.
    missing = [rows[name] for name in sorted(rows.keys() - found.keys())]
    if missing:
        _insert_new(connection, table, column, missing)
        found |= _known_ids(connection, table, column, rows.keys() - found.keys())
    return found


def _known_ids(
    connection: Connection, table: Table, column: str, names: Iterable[str]
) -> dict[str, int]:
    key = table.c[column]
    return {
        name: number
        for part in _chunks(names)
        for name, number in connection.execute(select(key, table.c.id).where(key.in_(part)))
    }


def _insert_new(
    connection: Connection, table: Table, column: str, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Insert the rows whose `column` is not taken."""
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    connection.execute(make(table).on_conflict_do_nothing(index_elements=[column]), list(rows))


def _chunks(values: Iterable[Any]) -> Iterator[list[Any]]:
    rest = list(values)
    for begin in range(0, len(rest), CHUNK):
        yield rest[begin : begin + CHUNK]
