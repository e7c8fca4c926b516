"""Construction of a Report from a Run: a pure function that measures, reads and prints nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from operator import is_
from typing import Any, Final

from bench.doubts import doubts, doubts_of_turns
from bench.output.names import doubt_meaning, plural
from bench.plan import PLANS, Plan
from bench.summary.elements import Doubt, Step
from bench.summary.findings import findings_from
from bench.summary.generation import with_bandwidth
from bench.summary.lifecycle import lives_of
from bench.summary.lifecycle_records import Foundation
from bench.summary.machine import machine_of
from bench.summary.model import Lane, Report, Row
from bench.summary.numbers import finite
from bench.summary.places import is_foundation, is_life
from bench.summary.roofline_records import Peaks, Roofline, RoofPoint
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
from diagnostics.codec import decode_as
from suite.axes import EXPORT
from suite.cell import Cell
from suite.foundations.cases import CASES
from suite.record import Measurement, Record
from suite.results.foundations import FoundationResult
from suite.results.measuring import PairedArm
from suite.runs.load import Run


def build_report(run: Run) -> Report:
    """Return the report, derived from the run's records alone."""
    info = run.info
    options = info.get("options")
    options = options if isinstance(options, Mapping) else {}
    plan = _plan(options)
    planned = planned_steps(info.get("planned"))
    records = in_planned_order(run.records, planned)
    all_rows = rows_of(records, lambda measurement, arm: _doubts(measurement, plan, arm))
    rows, cautions = without_run_doubts(all_rows)
    rows = with_bandwidths(rows, peaks_of(info.get("roofline")))
    missing, cells = not_reached(planned, records), planned_cells(planned)
    lives = lives_of(records, missing, cells, all_rows)
    known = {(s.cell, s.step): s for row in all_rows for lane in row.lanes for s in lane.steps}
    steps = (*(known.get((r.cell.id, r.step)) or step_of(r) for r in records), *missing)
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
        cautions=cautions,
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


def _doubts(
    measurement: Measurement, plan: Plan | None, arm: PairedArm | None
) -> tuple[Doubt, ...]:
    found = doubts(measurement, plan or PLANS["standard"])
    if arm is not None and not any(doubt.code == "busy_machine" for doubt in found):
        found += doubts_of_turns(measurement, arm)
    return tuple(
        Doubt(
            code=doubt.code,
            summary=doubt.summary,
            advice=doubt.advice,
            metric=measurement.metric,
            questions=doubt.questions,
            is_of_run=doubt.is_of_run,
        )
        for doubt in found
    )


def without_run_doubts(rows: Sequence[Row]) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    """Return the rows without the doubts about the machine, and these as one sentence per kind."""
    found: dict[str, list[tuple[str, Doubt]]] = {}
    kept = []
    for row in rows:
        lanes = []
        for lane in row.lanes:
            for doubt in lane.doubts:
                if doubt.is_of_run:
                    found.setdefault(doubt.code, []).append((lane.cell, doubt))
            own = tuple(doubt for doubt in lane.doubts if not doubt.is_of_run)
            lanes.append(lane if own == lane.doubts else replace(lane, doubts=own))
        is_same = all(map(is_, lanes, row.lanes))
        kept.append(row if is_same else replace(row, lanes=tuple(lanes)))
    num_cells = sum(len(row.lanes) for row in rows)
    return tuple(kept), tuple(_caution(code, seen, num_cells) for code, seen in found.items())


def _caution(code: str, seen: Sequence[tuple[str, Doubt]], num_cells: int) -> str:
    cells = dict.fromkeys(cell for cell, _ in seen)
    figures = ", ".join(dict.fromkeys(doubt.questions for _, doubt in seen))
    first = seen[0][1]
    return (
        f"{doubt_meaning(code)} In {len(cells)} of {plural(num_cells, 'cell')} this puts in question: {figures}."
        f" E.g. {first.summary}; {first.advice}. Ratios are taken in turns and leave disturbed turns out."
    )


def _interruption(info: Mapping[str, Any], missing: Sequence[Step], folder: str) -> tuple[str, ...]:
    if not info or info.get("finished_at"):
        return ()
    rest = f"; {plural(len(missing), 'planned step')} not reached" if missing else ""
    command = "pytest suite" if any(is_life(step.row) for step in missing) else "pytest bench"
    return (f"The run did not finish{rest}. `{command} --resume {folder}` continues it.",)


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


# Foundations of the report: the known-answer cases by case, device and dtype.


def foundations_of(
    records: Iterable[Record], missing: Iterable[Step], cells: Mapping[str, Cell]
) -> tuple[Foundation, ...]:
    """Return every case that was requested or planned, the most fundamental first, then by device and dtype.

    `missing` are planned steps without a record, `cells` the planned cells by id.
    """
    found = [_of(r.cell, step_of(r), r) for r in records if is_foundation(r.step)]
    found += [
        _of(cells[step.cell], step, None)
        for step in missing
        if is_foundation(step.step) and step.cell in cells
    ]
    order = {name: place for place, name in enumerate(CASES)}
    return tuple(sorted(found, key=lambda f: order.get(f.case, len(order))))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    error: float | None = None
    bound: float | None = None
    """None for an answer that must be exact."""


def _of(cell: Cell, step: Step, record: Record | None) -> Foundation:
    case = step.step.partition(":")[2]
    result = record.result if record else None
    own = result if isinstance(result, FoundationResult) else FoundationResult()
    known = CASES.get(case)
    shares = (_share(answer) for answer in own.evidence.values())
    return Foundation(
        case=case,
        meaning=known.meaning if known else own.meaning,
        device=cell.device,
        dtype=cell.dtype,
        step=step,
        num_answers=len(own.evidence),
        largest_error=max((share for share in shares if share is not None), default=None),
    )


def _share(answer: object) -> float | None:
    """Return the error of an answer as a share of its bound; None for one that must be exact."""
    try:
        found = decode_as(_Answer, answer)
    except ValueError:  # a boolean, a text
        return None
    error, bound = finite(found.error), finite(found.bound)
    return error / bound if error is not None and bound else None


# Roofline of a run: the machine's peaks and how close each model comes to them; a pure function of records.

FLOPS_PER_MAC: Final = 2
BUSY: Final = 0.1
"""Share of the roof below which neither compute nor memory bandwidth limits a model."""
CACHED: Final = 1.05
"""Share above which data must have come from a cache: the roof is that of main memory."""


def peaks_of(entries: object) -> tuple[Peaks, ...]:
    """Return the peaks that a run stored as `roofline`; entries of another shape are left out."""
    found = []
    for entry in entries if isinstance(entries, (list, tuple)) else ():
        with suppress(ValueError):
            peaks = decode_as(Peaks, entry)
            rates = {d: rate for d, rate in peaks.matmul.items() if finite(rate) and rate > 0}
            if rates and finite(peaks.bandwidth) and peaks.bandwidth > 0:
                found.append(replace(peaks, matmul=rates))
    return tuple(found)


def roofline_of(info: Mapping[str, Any], rows: Sequence[Row]) -> Roofline | None:
    """Return the roofline of the run; None if its peaks were not measured or no model has both MACs and a latency."""
    peaks = peaks_of(info.get("roofline"))
    by_device = {peak.device: peak for peak in peaks}
    points = [
        point
        for row in rows
        for lane in row.lanes
        if row.device in by_device
        and (point := point_of(row, lane, by_device[row.device])) is not None
    ]
    return Roofline(peaks=peaks, points=tuple(points)) if points else None


def with_bandwidths(rows: Sequence[Row], peaks: Sequence[Peaks]) -> tuple[Row, ...]:
    """Return the rows with the share of their device's memory bandwidth that decoding reaches."""
    known = {peak.device: peak.bandwidth for peak in peaks}

    def with_share(row: Row, lane: Lane) -> Lane:
        if lane.generation is None:
            return lane
        found = with_bandwidth(lane.generation, known.get(row.device))
        return replace(lane, generation=found)

    return tuple(
        replace(row, lanes=tuple(with_share(row, lane) for lane in row.lanes))
        if any(lane.generation for lane in row.lanes)
        else row
        for row in rows
    )


def point_of(row: Row, lane: Lane, peaks: Peaks) -> RoofPoint | None:
    """Return the point of that backend of that row; None if a required measurement is missing."""
    rate = peaks.matmul.get(row.dtype)
    num_bytes = least_bytes(row)
    if lane.timing is None or not row.macs or not num_bytes or rate is None:
        return None
    work, seconds = FLOPS_PER_MAC * row.macs, lane.timing.p50
    intensity = work / num_bytes
    memory_roof = intensity * peaks.bandwidth
    roof = min(rate, memory_roof)
    share = work / seconds / roof
    if share > CACHED:
        # Above the slope a cache was faster than main memory; above the flat part no cache helps.
        limit = "cache" if memory_roof < rate and work / seconds <= rate * CACHED else "above"
    elif share < BUSY:
        limit = "overhead"
    else:
        limit = "memory" if memory_roof < rate else "compute"
    return RoofPoint(
        row=row.id,
        backend=lane.backend,
        cell=lane.cell,
        flops=work / seconds,
        bytes_per_second=num_bytes / seconds,
        intensity=intensity,
        share=share,
        limit=limit,
    )


def least_bytes(row: Row) -> float:
    """Return the minimum bytes moved by one pass: every weight once, and the activations' peak written and read
    once.
    """
    peaks = [p for lane in row.lanes if (p := lane.quantity("peak_tensor_bytes")) is not None]
    return float(row.parameter_bytes or 0) + 2 * max(peaks, default=0.0)
