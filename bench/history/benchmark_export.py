"""Export a run as pytest-benchmark's JSON, for its `compare` and other readers of that format.

An imported run is exported unchanged. Of a run of torch-vitals the times are exported, one benchmark per
cell and metric, with the data needed to import them into another history.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, select

from bench.history.benchmark_file import OURS, PARTIAL, SOURCE
from bench.history.compression import unpack
from bench.history.database import read
from bench.history.entry import SeriesKey
from bench.history.errors import HistoryError
from bench.history.tables import ENVIRONMENTS, MEASUREMENTS, RECORDS, RUNS, SAMPLES, SERIES
from diagnostics.atomic_write import write_whole


def export_run(store: str, path: Path, name: str = "") -> str:
    """Write the run that `name` means (part of its name; empty = the last recorded) to `path`; its name.

    Raises HistoryError when there is no such run or it has no times, OSError when `path` cannot be
    written.
    """
    document, run = read(store, lambda connection: to_document(connection, name))
    write_whole(path, json.dumps(document, indent=4))
    return run


def to_document(connection: Connection, name: str) -> tuple[dict[str, Any], str]:
    """Return the file's content and the run's name."""
    run = _chosen(connection, name)
    times = _times(connection, run.id)
    if not times:
        raise HistoryError(
            f"run {run.name} has no times, and pytest-benchmark knows nothing else; name another"
            " run with --run"
        )
    if run.source == SOURCE:
        around = dict(run.facts["document"])
        return {**around, "benchmarks": [_as_it_was(row) for row in times]}, run.name
    return _own(run, times), run.name


def _chosen(connection: Connection, name: str) -> Row[Any]:
    """Return the run whose name is or contains `name`; the last recorded one if it is empty."""
    newest = connection.execute(select(RUNS).order_by(RUNS.c.id.desc()).limit(1)).first()
    if newest is None:
        raise HistoryError("it has no run yet; `pytest bench` adds one")
    if not name:
        return newest
    found = connection.execute(
        select(RUNS).where(RUNS.c.name.contains(name, autoescape=True))
    ).all()
    exact = [run for run in found if run.name == name]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if not found:
        raise HistoryError(f"it has no run {name!r}; the last recorded is {newest.name}")
    some = ", ".join(run.name for run in found[:5])
    raise HistoryError(
        f"{name!r} is in the name of {len(found)} runs ({some}, ...); say more of it"
    )


def _times(connection: Connection, run: int) -> list[Any]:
    """Return one row per time series of the run: its record, series, statistic, samples and machine."""
    statement = (
        select(
            *(SERIES.c[field.name] for field in fields(SeriesKey)),
            *(RECORDS.c[name] for name in ("at", "seconds", "digest", "facts")),
            MEASUREMENTS.c.value,
            MEASUREMENTS.c.sentinel,
            SAMPLES.c.packed,
            SAMPLES.c.iterations,
            ENVIRONMENTS.c.fingerprint,
            ENVIRONMENTS.c.facts.label("machine"),
        )
        .join_from(MEASUREMENTS, RECORDS, RECORDS.c.id == MEASUREMENTS.c.record_id)
        .join(SERIES, SERIES.c.id == MEASUREMENTS.c.series_id)
        .join(ENVIRONMENTS, ENVIRONMENTS.c.id == RECORDS.c.environment_id)
        .outerjoin(
            SAMPLES,
            (SAMPLES.c.record_id == RECORDS.c.id) & (SAMPLES.c.series_id == SERIES.c.id),
        )
        .where(RECORDS.c.run_id == run, SERIES.c.unit == "s")
        .order_by(RECORDS.c.id, SERIES.c.id)
    )
    return list(connection.execute(statement))


def _samples(row: Any) -> list[float]:
    """Return the samples; a single sample is stored as the value."""
    return list(unpack(row.packed)) if row.packed is not None else [row.value]


def _as_it_was(row: Any) -> dict[str, Any]:
    benchmark: dict[str, Any] = dict(row.facts["benchmark"])
    if row.facts["has_data"]:
        benchmark["stats"] = {**benchmark["stats"], "data": _samples(row)}
    return benchmark


def _own(run: Row[Any], times: Sequence[Any]) -> dict[str, Any]:
    import pytest_benchmark

    machine = times[0].machine
    return {
        "machine_info": {
            "node": "",
            "system": str(machine.get("System", "")),
            "python_version": str(machine.get("Python", "")),
            "cpu": {"brand_raw": str(machine.get("Processor", ""))},
        },
        "commit_info": {
            "id": run.commit_id or "unversioned",
            "time": None,
            "author_time": None,
            "dirty": bool(run.is_dirty),
            "project": "",
            "branch": "",
        },
        "benchmarks": [_benchmark(row) for row in times],
        "datetime": run.started_at.isoformat(),
        "version": pytest_benchmark.__version__,
        OURS: {
            "key": run.key,
            "run": run.name,
            "source": run.source,
            "finished_at": run.finished_at.isoformat() if run.finished_at else None,
            "facts": run.facts,
            "fingerprint": times[0].fingerprint,
            "environments": {row.fingerprint: row.machine for row in times},
        },
    }


def _benchmark(row: Any) -> dict[str, Any]:
    from pytest_benchmark.stats import Stats

    series = SeriesKey(**{f.name: getattr(row, f.name) for f in fields(SeriesKey)})
    stats = Stats()
    for sample in _samples(row):
        stats.update(sample)
    # `pytest bench --benchmark-json` calls the latency so too.
    name = f"test_{series.step}[{series.cell}]"
    name += "" if series.metric == series.step else f" {series.metric}"
    return {
        "group": series.metric,
        "name": name,
        "fullname": f"bench/test_{series.step}.py::{name}",
        "params": {"cell": series.cell},
        "param": series.cell,
        "extra_info": {
            OURS: {
                "series": asdict(series),
                "at": row.at.isoformat(),
                "seconds": row.seconds,
                "digest": row.digest.removesuffix(PARTIAL),
                "sentinel": row.sentinel,
                "fingerprint": row.fingerprint,
            }
        },
        "options": {"timer": "time.perf_counter_ns", "warmup": False},
        "stats": {
            **stats.as_dict(),
            "data": stats.data,
            "iterations": 1 if row.iterations is None else row.iterations,
        },
    }
