"""Foundations of the report: the known-answer cases by case, device and dtype."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bench.summary import facts
from bench.summary.elements import Step
from bench.summary.lifecycle_records import Foundation
from bench.summary.places import is_foundation
from bench.summary.step_outcomes import step_of
from suite.cell import Cell
from suite.foundations.cases import CASES
from suite.record import Record


def foundations_of(
    records: Iterable[Record], missing: Iterable[Step], cells: Mapping[str, Cell]
) -> tuple[Foundation, ...]:
    """Every case that was asked or planned, from what lies deepest upwards, then by device and dtype.

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


def _of(cell: Cell, step: Step, record: Record | None) -> Foundation:
    case = step.step.partition(":")[2]
    own = record.facts if record else {}
    answers = facts.mapping(own.get("evidence"))
    errors = [share for answer in answers.values() if (share := _share(answer)) is not None]
    known = CASES.get(case)
    return Foundation(
        case=case,
        meaning=known.meaning if known else facts.text(own.get("meaning")),
        device=cell.device,
        dtype=cell.dtype,
        step=step,
        num_answers=len(answers),
        largest_error=max(errors, default=None),
    )


def _share(answer: object) -> float | None:
    """The error of an answer as a share of what it may be; None for one that has to be exact."""
    own = facts.mapping(answer)
    error, bound = facts.number(own.get("error")), facts.number(own.get("bound"))
    return error / bound if error is not None and bound else None
