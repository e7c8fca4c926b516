"""How every planned step ended: passed, not passed with its reason, or not reached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.output.names import MEANINGS, NOT_REACHED, OUTCOMES
from bench.summary.elements import Step
from bench.summary.findings import findings_from
from bench.summary.places import place_of
from suite.axes import ORIGINAL
from suite.cell import Cell
from suite.record import Record


def step_of(record: Record) -> Step:
    """The record's ending, without its numbers."""
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


def in_planned_order(records: Iterable[Record], planned: object) -> tuple[Record, ...]:
    """The records as they were planned, model by model; exports made side by side come back in any order.

    Records that were not planned keep their order, behind the others.
    """
    named = [
        (cell.id, str(entry.get("step") or ""))
        for entry in _entries(planned)
        if (cell := _cell(entry.get("cell"))) is not None
    ]
    place = {name: number for number, name in enumerate(named)}
    last = len(place)
    return tuple(sorted(records, key=lambda r: place.get((r.cell.id, r.step), last)))


def planned_cells(planned: object) -> dict[str, Cell]:
    """Cell id -> cell of everything that was planned."""
    cells = (_cell(entry.get("cell")) for entry in _entries(planned))
    return {cell.id: cell for cell in cells if cell is not None}


def not_reached(planned: object, records: Iterable[Record]) -> tuple[Step, ...]:
    """A step for every entry of run.json's `planned` that has no record."""
    seen = {(record.cell.id, record.step) for record in records}
    found: dict[tuple[str, str], Step] = {}
    for entry in _entries(planned):
        step = str(entry.get("step") or "")
        named = _cell(entry.get("cell"))
        name = named.id if named else str(entry.get("cell") or "")
        if not name or (name, step) in seen:
            continue
        found[name, step] = Step(
            cell=name,
            row=place_of(named, step) if named else name,
            model=named.model if named else name,
            size=named.size if named else "",
            backend=named.backend if named else "",
            step=step,
            variant=named.variant if named else ORIGINAL,
            outcome=NOT_REACHED,
            reason=MEANINGS[NOT_REACHED],
        )
    return tuple(found.values())


def unfinished(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Every step that did not pass, worst outcome first, otherwise in the run's order."""
    order = {name: place for place, name in enumerate(OUTCOMES)}
    return tuple(
        sorted(
            (step for step in steps if step.outcome != "passed"),
            key=lambda step: order.get(step.outcome, len(order)),
        )
    )


def outcome_counts(steps: Iterable[Step]) -> dict[str, int]:
    """Outcome -> number of steps, in reading order, only those that occur."""
    counts = Counter(step.outcome for step in steps)
    return {name: counts[name] for name in (*OUTCOMES, *counts) if counts.get(name)}


def _entries(planned: object) -> list[Mapping[str, Any]]:
    entries = planned if isinstance(planned, Sequence) and not isinstance(planned, str) else ()
    return [entry for entry in entries if isinstance(entry, Mapping)]


def _cell(data: Any) -> Cell | None:
    """A planned cell, which is a cell's fields or its id; None for anything else."""
    try:
        return Cell(**data) if isinstance(data, Mapping) else Cell.parse(str(data))
    except (TypeError, ValueError):
        return None
