"""Outcomes of planned steps: passed, not passed with its reason, or not reached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.output.names import MEANINGS, NOT_REACHED, OUTCOMES
from bench.summary.elements import Step
from bench.summary.findings import findings_from
from bench.summary.places import place_of
from diagnostics.codec import decode_as
from suite.axes import ORIGINAL
from suite.cell import Cell
from suite.record import Record


def step_of(record: Record) -> Step:
    """Return the step's outcome without its numbers."""
    failure = record.failure
    reason = (failure.message if failure else "") or ""
    if not reason and not record.outcome.has_run:
        reason = MEANINGS[record.outcome.value]
    return Step(
        cell=record.cell.id,
        row=place_of(record.cell, record.step),
        model=record.cell.model,
        size=record.cell.size,
        backend=record.cell.backend,
        step=record.step,
        variant=record.cell.variant,
        outcome=record.outcome.value,
        seconds=record.seconds,
        phases=dict(record.phases),
        kind=failure.kind if failure else "",
        reason=reason,
        phase=failure.phase if failure else "",
        log_tail=failure.log_tail if failure else "",
        log=failure.log if failure else "",
        url=failure.url if failure else "",
        diagnosis=findings_from(record.diagnosis),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    """One entry of `planned` in run.json."""

    cell: Cell | None
    """None for one that this version cannot read."""
    name: str
    """The cell's id, or the text in its place."""
    step: str


def planned_steps(planned: object) -> tuple[PlannedStep, ...]:
    """Return the planned steps; entries of another shape are left out."""
    entries = planned if isinstance(planned, Sequence) and not isinstance(planned, str) else ()
    found = []
    for entry in entries:
        if isinstance(entry, Mapping):
            cell = _cell(entry.get("cell"))
            name = cell.id if cell else str(entry.get("cell") or "")
            found.append(PlannedStep(cell=cell, name=name, step=str(entry.get("step") or "")))
    return tuple(found)


def in_planned_order(
    records: Iterable[Record], planned: Sequence[PlannedStep]
) -> tuple[Record, ...]:
    """Return the records in planned order, model by model: concurrent exports end in any order.

    Records that were not planned keep their order, at the end.
    """
    named = ((entry.name, entry.step) for entry in planned if entry.cell)
    place = {name: number for number, name in enumerate(named)}
    last = len(place)
    return tuple(sorted(records, key=lambda r: place.get((r.cell.id, r.step), last)))


def planned_cells(planned: Sequence[PlannedStep]) -> dict[str, Cell]:
    """Return cell id -> cell for all planned steps."""
    return {entry.name: entry.cell for entry in planned if entry.cell}


def not_reached(planned: Sequence[PlannedStep], records: Iterable[Record]) -> tuple[Step, ...]:
    """Return a step for every planned one without a record."""
    seen = {(record.cell.id, record.step) for record in records}
    found: dict[tuple[str, str], Step] = {}
    for entry in planned:
        name, step, cell = entry.name, entry.step, entry.cell
        if not name or (name, step) in seen:
            continue
        found[name, step] = Step(
            cell=name,
            row=place_of(cell, step) if cell else name,
            model=cell.model if cell else name,
            size=cell.size if cell else "",
            backend=cell.backend if cell else "",
            step=step,
            variant=cell.variant if cell else ORIGINAL,
            outcome=NOT_REACHED,
            reason=MEANINGS[NOT_REACHED],
        )
    return tuple(found.values())


def unfinished(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Return every step that did not pass, worst outcome first, otherwise in the run's order."""
    order = {name: place for place, name in enumerate(OUTCOMES)}
    return tuple(
        sorted(
            (step for step in steps if step.outcome != "passed"),
            key=lambda step: order.get(step.outcome, len(order)),
        )
    )


def outcome_counts(steps: Iterable[Step]) -> dict[str, int]:
    """Return outcome -> number of steps, in reading order, only those that occur."""
    counts = Counter(step.outcome for step in steps)
    return {name: counts[name] for name in (*OUTCOMES, *counts) if counts.get(name)}


def _cell(data: Any) -> Cell | None:
    """Return a planned cell, given as a cell's fields or its id; None for anything else."""
    try:
        return decode_as(Cell, data) if isinstance(data, Mapping) else Cell.parse(str(data))
    except (TypeError, ValueError):
        return None
