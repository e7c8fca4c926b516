"""Construction of a Report from a Run: a pure function that measures, reads and prints nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bench.doubts import doubts
from bench.output.names import plural
from bench.plan import PLANS, Plan
from bench.summary.elements import Doubt, Step
from bench.summary.findings import findings_from
from bench.summary.foundations import foundations_of
from bench.summary.lifecycle import lives_of
from bench.summary.machine import machine_of
from bench.summary.model import Report
from bench.summary.places import is_life
from bench.summary.roofline import roofline_of
from bench.summary.rows import rows_of
from bench.summary.step_outcomes import (
    in_planned_order,
    not_reached,
    planned_cells,
    planned_steps,
    step_of,
    unfinished,
)
from bench.summary.totals import totals_of
from bench.summary.verdicts import newest_gate
from suite.axes import EXPORT
from suite.record import Measurement, Record
from suite.runs.load import Run


def build_report(run: Run) -> Report:
    """Return the report, derived from the run's records alone."""
    info = run.info
    options = info.get("options")
    options = options if isinstance(options, Mapping) else {}
    plan = _plan(options)
    planned = planned_steps(info.get("planned"))
    records = in_planned_order(run.records, planned)
    rows = rows_of(records, lambda measurement: _doubts(measurement, plan))
    missing, cells = not_reached(planned, records), planned_cells(planned)
    lives = lives_of(records, missing, cells, rows)
    steps = (*(step_of(record) for record in records), *missing)
    started, finished = _text(info.get("started_at")), _text(info.get("finished_at"))
    run_id = _text(info.get("run_id")) or (run.records[0].run_id if run.records else "")
    return Report(
        run_id=run_id or run.folder.name,
        folder=run.folder.absolute().name,
        location=str(run.folder.absolute()),
        command=_text(info.get("command")),
        started_at=started or min((r.started_at for r in run.records), default=""),
        finished_at=finished,
        seconds=_seconds(started, finished),
        options=options,
        machine=machine_of(run.machine),
        settings=_settings(options, records),
        environment=run.machine.as_dict() if run.machine else {},
        findings=findings_from(run.machine.findings if run.machine else ()),
        rows=rows,
        lives=lives,
        foundations=foundations_of(records, missing, cells),
        unfinished=unfinished(steps),
        excluded=_excluded(info.get("excluded")),
        problems=(*run.problems, *_interruption(info, missing, run.folder.name)),
        totals=totals_of(rows, lives, steps, missing),
        roofline=roofline_of(info, rows),
        gate=newest_gate(run.folder, run.machine.environment.git.commit) if run.machine else None,
    )


def _settings(options: Mapping[str, Any], records: Sequence[Record]) -> tuple[tuple[str, str], ...]:
    plan = options.get("plan")
    data = dict.fromkeys(
        record.data.name for record in records if record.data and record.step != EXPORT
    )
    pairs = (
        ("Plan", plan.get("name") if isinstance(plan, Mapping) else plan),
        ("Threads", options.get("threads")),
        ("Weights", options.get("weights")),
        ("Data", ", ".join(data)),
    )
    return tuple((label, str(value)) for label, value in pairs if value)


def _plan(options: Mapping[str, Any]) -> Plan | None:
    asked = options.get("plan")
    if isinstance(asked, Mapping):
        try:
            return Plan.from_dict(asked)
        except ValueError:  # made by another version; doubts then lack its advice
            return None
    return PLANS.get(str(asked)) if asked else PLANS["standard"]


def _doubts(measurement: Measurement, plan: Plan | None) -> tuple[Doubt, ...]:
    return tuple(
        Doubt(
            code=doubt.code,
            summary=doubt.summary,
            advice=doubt.advice,
            metric=measurement.metric,
        )
        for doubt in doubts(measurement, plan or PLANS["standard"])
    )


def _interruption(info: Mapping[str, Any], missing: Sequence[Step], folder: str) -> tuple[str, ...]:
    if not info or info.get("finished_at"):
        return ()
    rest = f"; {plural(len(missing), 'planned step')} not reached" if missing else ""
    what = "suite" if any(is_life(step.row) for step in missing) else "bench"
    return (f"The run did not finish{rest}. `pytest {what} --resume {folder}` continues it.",)


def _excluded(entries: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(entries, Sequence) or isinstance(entries, str):
        return ()
    return tuple(
        (_text(entry.get("what")), _text(entry.get("reason")))
        for entry in entries
        if isinstance(entry, Mapping)
    )


def _text(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value))
    return "" if value is None else str(value)


def _seconds(started: str, finished: str) -> float | None:
    try:
        return (datetime.fromisoformat(finished) - datetime.fromisoformat(started)).total_seconds()
    except (ValueError, TypeError):
        return None
