"""Foundations of the report: the known-answer cases by case, device and dtype."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bench.summary.elements import Step
from bench.summary.lifecycle_records import Foundation
from bench.summary.numbers import finite
from bench.summary.places import is_foundation
from bench.summary.step_outcomes import step_of
from diagnostics.codec import decode_as
from suite.cell import Cell
from suite.foundations.cases import CASES
from suite.record import Record
from suite.results.foundations import FoundationResult


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
