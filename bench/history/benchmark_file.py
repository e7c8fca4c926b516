"""Import pytest-benchmark's JSON: one file is one run, and can be exported unchanged.

Another project's benchmark becomes a series under its full name; an export of torch-vitals is assigned
to its original cell.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench.history.entry import Point, RecordEntry, RunEntry, SeriesKey
from bench.history.errors import HistoryError
from bench.history.rows import sentinel_ratio
from bench.history.timestamps import parse_timestamp
from bench.stats import percentile

SOURCE: Final = "pytest-benchmark"
STEP: Final = "pytest-benchmark"
PARTIAL: Final = "-times"
"""Suffix of the digest of a record that was imported without all of its metrics."""
OURS: Final = "vitals"
"""Key of the additional data of an export, in the file and in each `extra_info`."""

EXPECTED: Final = "expected what `pytest --benchmark-json FILE` or `--benchmark-save NAME` writes"


def read_file(path: Path, *, now: datetime | None = None) -> RunEntry:
    """Return the run in the file. Raises HistoryError if it cannot be read or is not from pytest-benchmark."""
    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text)
    except OSError as error:
        raise HistoryError(
            f"{path} cannot be read ({error.strerror}); name another file"
        ) from error
    except (ValueError, RecursionError) as error:
        raise HistoryError(f"{path} is no JSON ({error}); {EXPECTED}") from error
    benchmarks = data.get("benchmarks") if isinstance(data, dict) else None
    if not isinstance(benchmarks, list) or not benchmarks:
        raise HistoryError(f"{path} has no benchmarks; {EXPECTED}")
    return _run(path, data, benchmarks, text, now or datetime.now(UTC))


def _run(
    path: Path, data: Mapping[str, Any], benchmarks: Sequence[Any], text: str, now: datetime
) -> RunEntry:
    ours = _mapping(data, OURS)
    digest = hashlib.sha256(text.encode()).hexdigest()
    at = parse_timestamp(data.get("datetime"), now)
    commit = _mapping(data, "commit_info")
    machine = _mapping(data, "machine_info")
    fingerprint = str(ours.get("fingerprint") or fingerprint_of(machine))
    facts = _mapping(ours, "environments") or {fingerprint: machine_facts(machine)}
    rest = {key: value for key, value in data.items() if key != "benchmarks"}
    return RunEntry(
        key=str(ours.get("key") or f"{SOURCE}-{digest[:24]}"),
        name=str(ours.get("run") or f"{path.stem}-{digest[:6]}"),
        source=str(ours.get("source") or SOURCE),
        started_at=at or now,
        finished_at=parse_timestamp(ours.get("finished_at"), now),
        recorded_at=now,
        commit=str(commit.get("id") or "")[:12],
        is_dirty=commit.get("dirty") if isinstance(commit.get("dirty"), bool) else None,
        facts=_mapping(ours, "facts") if ours else {"document": rest},
        environments={str(name): dict(_mapping(facts, name)) for name in facts},
        records=tuple(_records(path, benchmarks, at or now, fingerprint)),
        problems=()
        if at
        else (f"{path.name} says that it was made at {data.get('datetime')!r}: filed under now",),
    )


def _records(
    path: Path, benchmarks: Sequence[Any], at: datetime, fingerprint: str
) -> list[RecordEntry]:
    found: dict[tuple[str, str], RecordEntry] = {}
    for number, benchmark in enumerate(benchmarks, start=1):
        if not isinstance(benchmark, Mapping) or not _mapping(benchmark, "stats"):
            raise HistoryError(f"{path}: benchmark {number} has no stats; {EXPECTED}")
        ours = _mapping(_mapping(benchmark, "extra_info"), OURS)
        record = (
            _own(path, number, benchmark, ours, at)
            if ours
            else _foreign(path, number, benchmark, at, fingerprint)
        )
        key = (record.cell, record.step)
        if key in found and ours:
            record = replace(found[key], points=found[key].points + record.points)
        elif key in found:
            raise HistoryError(f"{path} has two benchmarks {record.cell}; rename one of them")
        found[key] = record
    return list(found.values())


def _foreign(
    path: Path, number: int, benchmark: Mapping[str, Any], at: datetime, fingerprint: str
) -> RecordEntry:
    name = str(benchmark.get("fullname") or benchmark.get("name") or f"benchmark {number}")
    stats = benchmark["stats"]
    data = stats.get("data")
    # The samples are kept packed; a place stays for them, so that the order of the keys does.
    kept = {**benchmark, "stats": {**stats, **({"data": None} if data is not None else {})}}
    content = json.dumps(benchmark, sort_keys=True)
    series = SeriesKey(cell=name, model=name, step=STEP, metric="latency", unit="s")
    return RecordEntry(
        cell=name,
        step=STEP,
        outcome="passed",
        at=at,
        fingerprint=fingerprint,
        digest=hashlib.sha256(content.encode()).hexdigest()[:16],
        facts={"benchmark": kept, "has_data": data is not None},
        points=(_point(path, number, stats, series),),
    )


def _own(
    path: Path, number: int, benchmark: Mapping[str, Any], ours: Mapping[str, Any], at: datetime
) -> RecordEntry:
    try:
        series = SeriesKey(**ours["series"])
        return RecordEntry(
            cell=series.cell,
            step=series.step,
            outcome="passed",
            at=datetime.fromisoformat(ours["at"]),
            seconds=float(ours["seconds"]),
            fingerprint=str(ours["fingerprint"]),
            digest=f"{ours['digest']}{PARTIAL}",
            points=(_point(path, number, benchmark["stats"], series, ours.get("sentinel")),),
            is_partial=True,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise HistoryError(
            f"{path}: benchmark {number} was exported by another version of torch-vitals"
            f" ({error!r}); record the run folder instead: python -m bench history record RUN"
        ) from error


def _point(
    path: Path,
    number: int,
    stats: Mapping[str, Any],
    series: SeriesKey,
    sentinel: float | None = None,
) -> Point:
    """Return the point of one benchmark: from its samples, or from its statistics if it has no samples."""
    try:
        samples = tuple(float(sample) for sample in stats.get("data") or ())
        num_rounds, iterations = int(stats.get("rounds") or 1), int(stats.get("iterations") or 1)
    except (TypeError, ValueError, OverflowError) as error:
        raise HistoryError(
            f"{path}: benchmark {number} has samples or rounds that are no numbers ({error}); {EXPECTED}"
        ) from error
    found = percentile(samples, 0.5)
    value = found.value if found else stats.get("median")
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        raise HistoryError(f"{path}: benchmark {number} has no median; {EXPECTED}")
    tails = [percentile(samples, q) if len(samples) > 1 else None for q in (0.9, 0.99)]
    return Point(
        series=series,
        value=float(value),
        low=found.low if found else None,
        high=found.high if found else None,
        p90=tails[0].value if tails[0] else None,
        p99=tails[1].value if tails[1] else None,
        num_samples=len(samples) or num_rounds,
        sentinel=sentinel,
        ratio=sentinel_ratio(float(value), series.unit, sentinel),
        samples=samples if len(samples) > 1 else (),
        iterations=iterations,
    )


def fingerprint_of(machine: Mapping[str, Any]) -> str:
    """Return a hash of the parts of `machine_info` that make results comparable; host names are left out."""
    cpu = _mapping(machine, "cpu")
    names = ("machine", "system", "python_implementation", "python_version")
    parts = [machine.get(name) for name in names]
    parts += [cpu.get(name) for name in ("brand_raw", "brand", "count", "arch_string_raw")]
    return f"pb-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]}"


def machine_facts(machine: Mapping[str, Any]) -> dict[str, str]:
    """Return the label -> text of a `machine_info` that is shown to users."""
    cpu = _mapping(machine, "cpu")
    pairs = {
        "Processor": cpu.get("brand_raw") or cpu.get("brand") or machine.get("processor"),
        "Cores": cpu.get("count"),
        "System": machine.get("system"),
        "Python": machine.get("python_version"),
    }
    return {label: str(value) for label, value in pairs.items() if value}


def _mapping(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    return value if isinstance(value, Mapping) else {}
