"""Link targets: the anchor of a step on the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.report.anchor import anchor
from bench.report.lifecycle_view import stage_anchor
from bench.report.view import RowView
from bench.summary.elements import Step
from bench.summary.model import Report


def targets_of(report: Report, rows: Sequence[RowView]) -> Callable[[Step], str]:
    """Return a function that gives a step's anchor: of its stage, its lane, or the row with its details; empty for
    none.
    """
    stages = {(s.step.cell, s.step.step) for life in report.lives for s in life.stages}
    stages |= {(case.step.cell, case.step.step) for case in report.foundations}
    found: dict[str, str] = {}
    for view in rows:
        for step in view.row.shared:
            found.setdefault(step.cell, view.anchor)
    for view in rows:
        for lane in view.lanes:
            found[lane.lane.cell] = anchor(lane.lane.cell)

    def target(step: Step) -> str:
        if (step.cell, step.step) in stages:
            return stage_anchor(step.cell, step.step)
        return found.get(step.cell, "")

    return target
