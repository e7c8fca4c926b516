"""View of lives for the HTML templates: precomputed positions, groups and anchors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.charts.curve import CurvePlot, curve_plot
from bench.charts.scatter import StatesPlot, states_plot
from bench.output.text import shortened
from bench.report.anchor import anchor
from bench.summary.labels import AXES, life_names
from bench.summary.lifecycle_records import Curve, Foundation, Life, Stage, State
from bench.summary.matrix import Group, ends_of, groups_of, stages_in, summed_states
from bench.summary.model import Report
from suite.axes import TRAINED


@dataclass(frozen=True, slots=True, kw_only=True)
class StageView:
    """View of one stage."""

    stage: Stage
    anchor: str
    cell_anchor: str
    """The cell's own anchor, if no other element of the page has it; otherwise empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LifeView:
    """View of one life."""

    life: Life
    anchor: str
    name: str
    axes: tuple[str, ...]
    marks: tuple[tuple[Stage | None, ...], ...]
    """Stages of each group of the matrix."""
    stages: tuple[StageView, ...]
    outcomes: tuple[str, ...]
    search: str
    curve: CurvePlot | None
    recovery: CurvePlot | None
    parallel: tuple[CurvePlot | None, ...]
    plot: StatesPlot | None
    sort: Mapping[str, float]
    """Key -> number to sort by; a key without a number is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseView:
    """View of one known-answer case: outcomes by device and dtype."""

    case: str
    meaning: str
    ends: tuple[Foundation | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundationsView:
    """View of the known-answer cases."""

    places: tuple[tuple[str, str], ...]
    """Columns: (device, dtype)."""
    cases: tuple[CaseView, ...]


def stage_anchor(cell: str, step: str) -> str:
    """Return the anchor of a stage: a cell may go through several."""
    return anchor(f"{cell}:{step}")


def life_views(report: Report) -> tuple[tuple[Group, ...], tuple[str, ...], tuple[LifeView, ...]]:
    """Return the columns of the matrix, the states in the summary, and every life."""
    groups, states = groups_of(report.lives), summed_states(report.lives)
    names = life_names(report)
    lanes = {lane.cell for row in report.rows for lane in row.lanes}
    views = []
    for life in report.lives:
        claimed: set[str] = set(lanes)
        stages = []
        for stage in life.stages:
            cell = stage.step.cell
            own = "" if cell in claimed else anchor(cell)
            claimed.add(cell)
            stages.append(
                StageView(stage=stage, anchor=stage_anchor(cell, stage.step.step), cell_anchor=own)
            )
        axes = names[life.id].removeprefix(life.model).split()
        words = (life.model, *(str(getattr(life, axis)) for axis in AXES))
        quality = life.quality.name if life.quality else ""
        views.append(
            LifeView(
                life=life,
                anchor=anchor(life.id),
                name=shortened(life.model, 80),
                axes=tuple(axes),
                marks=tuple(stages_in(life, group) for group in groups),
                stages=tuple(stages),
                outcomes=tuple(ends_of(life)),
                search=shortened(" ".join((*words, quality)).lower(), 400),
                curve=curve_plot(_curve(life), life.training),
                recovery=curve_plot(life.recovery),
                parallel=tuple(curve_plot(parallel.curve) for parallel in life.parallel),
                plot=states_plot(life),
                sort=_sort_keys(life, states),
            )
        )
    return groups, states, tuple(views)


def foundations_view(report: Report) -> FoundationsView | None:
    """Return the known-answer cases by device and dtype; None if none was requested."""
    if not report.foundations:
        return None
    places = tuple(dict.fromkeys((case.device, case.dtype) for case in report.foundations))
    by_place = {(c.case, c.device, c.dtype): c for c in report.foundations}
    meanings = {c.case: c.meaning for c in report.foundations}
    return FoundationsView(
        places=places,
        cases=tuple(
            CaseView(
                case=case,
                meaning=meaning,
                ends=tuple(by_place.get((case, device, dtype)) for device, dtype in places),
            )
            for case, meaning in meanings.items()
        ),
    )


def _curve(life: Life) -> Curve | None:
    return life.training.curve if life.training else None


def _sort_keys(life: Life, states: tuple[str, ...]) -> dict[str, float]:
    found: dict[str, float | None] = {
        TRAINED: life.training.trained if life.training else None,
    }
    for name in states:
        state: State | None = life.state(name)
        key = name.replace("_", "-")
        found[f"drop-{key}"] = state.drop if state else None
        found[f"speed-{key}"] = (
            state.ratio.value if state and state.ratio and state.ratio.is_known else None
        )
    return {key: value for key, value in found.items() if value is not None}
