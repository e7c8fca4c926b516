"""Conversion of a run folder to a history entry: statistics of every metric, and their ratios to the sentinel."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from bench.derived_metrics import FORMULAS
from bench.history.entry import Point, RecordEntry, RunEntry, series_key
from bench.history.timestamps import parse_timestamp
from bench.metrics import METRICS
from bench.stats import Estimate, percentile
from bench.summary.machine import machine_of
from diagnostics.redact import without_password
from suite.record import Measurement, MeasurementFacts, Record
from suite.results.measuring import RunResult
from suite.runs.load import Run

SOURCE: Final = "torch-vitals"
UNKNOWN: Final = "unknown"
"""Fingerprint of an unknown machine; its values are not compared."""
TIMES: Final = ("s", "1/s")
"""Units of values that depend on the machine's speed."""
MAX_REASON_LENGTH: Final = 500
"""Characters kept of why a cell did not pass; the run folder has the full text."""


def run_entry(run: Run, *, now: datetime | None = None) -> RunEntry:
    """Convert a run to a history entry; its `problems` name missing and implausible values."""
    now = now or datetime.now(UTC)
    problems = list(run.problems)
    info = run.info
    name = _text(info.get("run_id") or run.folder.name)
    started = parse_timestamp(info.get("started_at"), now)
    if started is None:
        problems.append(
            f"the run says that it began at {info.get('started_at')!r}: filed under the time of recording"
        )
    git = run.machine.environment.git if run.machine else None
    options = _mapping(info, "options")
    return RunEntry(
        key=f"{name}-{_first_line(run)}",
        name=name,
        source=SOURCE,
        started_at=started or now,
        finished_at=parse_timestamp(info.get("finished_at"), now),
        recorded_at=now,
        commit=_text(git.commit) if git else "",
        is_dirty=git.dirty if git and git.commit else None,
        facts={"command": without_password(_text(info.get("command") or "")), "options": options},
        environments=_environments(run),
        records=tuple(
            record_entry(
                record, options, at=parse_timestamp(record.started_at, now) or started or now
            )
            for record in run.records
        ),
        problems=tuple(problems),
    )


def record_entry(record: Record, options: Mapping[str, Any], *, at: datetime) -> RecordEntry:
    """Convert a record with the points of all its metrics; one that did not pass has none."""
    failure = record.failure
    reason = f"{failure.kind}: {failure.message}" if failure else ""
    content = json.dumps(record.as_dict(), sort_keys=True, default=str)
    return RecordEntry(
        cell=record.cell.id,
        step=record.step,
        outcome=record.outcome.value,
        reason=_text(reason)[:MAX_REASON_LENGTH],
        at=at,
        seconds=record.seconds if math.isfinite(record.seconds) else 0.0,
        fingerprint=record.environment_id or UNKNOWN,
        digest=hashlib.sha256(content.encode()).hexdigest()[:16],
        points=tuple(_points(record, options)) if record.outcome.has_run else (),
    )


def _points(record: Record, options: Mapping[str, Any]) -> Iterator[Point]:
    for measurement in record.measurements:
        samples = measurement.samples
        if not samples or not all(math.isfinite(sample) for sample in samples):
            continue  # it has no finite statistic; the run folder keeps the samples
        yield from _point(record, options, measurement, measurement.metric)
        for metric in METRICS.values():
            if metric.derived_from == measurement.metric:
                yield from _point(record, options, measurement, metric.name)


def _point(
    record: Record, options: Mapping[str, Any], measurement: Measurement, name: str
) -> Iterator[Point]:
    is_own = name == measurement.metric
    known = METRICS.get(name)
    # A record may hold one metric several times: once per number of loader workers, or per prompt and depth.
    found = (
        percentile(measurement.samples, 0.5)
        if is_own
        else FORMULAS[name](measurement, record.result)
    )
    if found is None or not math.isfinite(found.value):
        return
    unit = known.unit if known else measurement.unit
    sentinel = _sentinel(measurement)
    many = is_own and len(measurement.samples) > 1
    yield Point(
        series=series_key(
            record.cell,
            step=record.step,
            metric=name,
            unit=unit,
            settings=_settings(
                record,
                options,
                is_exact=bool(known and known.is_deterministic),
                facts=measurement.facts,
            ),
        ),
        value=found.value,
        low=found.low,
        high=found.high,
        p90=_value(percentile(measurement.samples, 0.9)) if many else None,
        p99=_value(percentile(measurement.samples, 0.99)) if many else None,
        num_samples=found.num_samples,
        sentinel=sentinel,
        ratio=sentinel_ratio(found.value, unit, sentinel),
        samples=measurement.samples if many else (),
        iterations=measurement.iterations_per_sample,
    )


def sentinel_ratio(value: float, unit: str, sentinel: float | None) -> float | None:
    """Return a time divided by the sentinel's, or a rate times it: comparable across machines. None otherwise."""
    if sentinel is None or unit not in TIMES or not value > 0:
        return None
    ratio = value / sentinel if unit == "s" else value * sentinel
    return ratio if math.isfinite(ratio) and ratio > 0 else None


def _sentinel(measurement: Measurement) -> float | None:
    readings = measurement.facts.sentinel
    if readings is None or not math.isfinite(readings.median) or readings.median <= 0:
        return None
    return readings.median


def _settings(
    record: Record, options: Mapping[str, Any], *, is_exact: bool, facts: MeasurementFacts
) -> str:
    """Return the other settings that determine the value; deterministic ones do not depend on threads and weights."""
    run = record.result if isinstance(record.result, RunResult) else RunResult()
    weights = run.weights or str(options.get("weights") or "")
    settings = {
        "data": record.data.name if record.data else "",
        "workers": facts.num_workers,
        "prompt": facts.prompt,
        "depth": facts.depth,
        "mode": facts.mode,
    }
    if not is_exact:
        settings["threads"] = run.threads or options.get("threads")
        # The path of a weights folder differs between machines.
        settings["weights"] = "folder" if "/" in weights or "\\" in weights else weights
    return " ".join(f"{name}={_text(value)}" for name, value in settings.items() if value)


def _environments(run: Run) -> dict[str, dict[str, Any]]:
    """Return every fingerprint of the records, with the description of `environment.json` for its own."""
    described = run.machine.fingerprint if run.machine else ""
    facts = {label: value for label, value in machine_of(run.machine) if label != "Commit"}
    found: dict[str, dict[str, Any]] = {r.environment_id or UNKNOWN: {} for r in run.records}
    return {name: facts if name == described else {} for name in found}


def _first_line(run: Run) -> str:
    """Return a digest of the first line of the records.

    It stays the same when a run is resumed, and distinguishes two runs of one name by their times: a name is a
    second and 16 random bits, so that of 100 jobs started in one second, two share a name in 7% of cases.
    """
    try:
        with (run.folder / "records.jsonl").open("rb") as file:
            line = next((line for line in file if line.strip()), b"")
    except OSError:
        line = b""
    return hashlib.sha256(line.strip()).hexdigest()[:12]


def _mapping(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    return value if isinstance(value, Mapping) else {}


def _value(estimate: Estimate | None) -> float | None:
    return estimate.value if estimate else None


def _text(value: object) -> str:
    """Return text that every database accepts: without NUL and lone surrogates."""
    return str(value).replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
