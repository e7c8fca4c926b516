"""The steps of a cell: what is done with it, in which order, where it makes sense, and what has to be done before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from suite.axes import (
    BACKENDS,
    CPU,
    EAGER,
    FOUNDATIONS,
    LEARNED,
    ONNXRUNTIME,
    ORIGINAL,
    STAGES,
    VARIANTS,
)
from suite.axes.stages import BUILD, EXPORT, STAGE_ROWS
from suite.cell import Cell

if TYPE_CHECKING:
    from suite.engine.session import Session
    from suite.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that is done with a cell in a fresh process."""

    name: str
    """Unique; the test's name, the record's step."""
    runner: str
    """Worker side: `package.module:function`, called as `function(job, emit)`."""
    applies: Callable[[Cell], bool]
    """Whether the step makes sense for a cell."""
    title: str = ""
    """How people write it; empty = its name."""
    needs_graph: bool = False
    """Whether a cell of a backend that runs graphs needs its graph before this step."""
    compose: Callable[[Session, Cell], Record] | None = None
    """Makes the step's record from other records and jobs of the session; None = the record is that of one job."""


def _makes(stage: str) -> Callable[[Cell], bool]:
    """Whether a cell is where its variant is made by that stage."""

    def applies(cell: Cell) -> bool:
        row = VARIANTS[cell.variant]
        return row.stage == stage and cell.backend == row.backend

    return applies


def _is_built(cell: Cell) -> bool:
    """One build for all devices and types."""
    return is_original(cell) and (cell.backend, cell.device, cell.dtype) == (
        EAGER,
        CPU,
        "float32",
    )


def _is_exported(cell: Cell) -> bool:
    """One graph for all devices."""
    is_exported = is_original(cell) or VARIANTS[cell.variant].is_exported
    return is_exported and cell == graph_cell(cell)


def is_original(cell: Cell) -> bool:
    """Whether the cell is of the model as built."""
    return cell.variant == ORIGINAL


_APPLIES: Final = {BUILD: _is_built, EXPORT: _is_exported}
"""Stages that make no state -> whether they make sense for a cell."""

STEPS: Final[Mapping[str, Step]] = {
    row.name: row
    for row in (
        Step(
            name=FOUNDATIONS,
            runner="suite.foundations.run:run",
            applies=lambda cell: False,  # of no model: its cells are made apart
        ),
        *(
            Step(
                name=row.name,
                title=row.title,
                runner=row.runner,
                applies=_APPLIES.get(row.name) or _makes(row.name),
                needs_graph=row.name == EXPORT,
            )
            for row in STAGE_ROWS.values()
        ),
    )
}
"""The suite's own steps, in the order in which a cell's steps run; `bench.steps` adds what measures."""


def graph_cell(cell: Cell) -> Cell:
    """The cell whose `export` step makes the graph that `cell` runs; graphs are exported on the CPU.

    The graph of a state belongs to the device that the state was made on.
    """
    device = CPU if cell.variant == ORIGINAL else cell.device
    return replace(cell, backend=ONNXRUNTIME, device=device, dtype="float32")


def maker_cell(cell: Cell, variant: str, train_on: str = "") -> Cell:
    """The cell whose stage makes that variant of the cell's model; weights on the device `train_on`, if not empty."""
    row = VARIANTS[variant]
    device = train_on if train_on and row.stage in LEARNED else cell.device
    return replace(cell, variant=variant, backend=row.backend, device=device)


def steps_of(cell: Cell, steps: Mapping[str, Step] = STEPS) -> tuple[str, ...]:
    """The names of those of `steps` that make sense for a cell, in their order."""
    return tuple(name for name, row in steps.items() if row.applies(cell))


def step_name(step: str, steps: Mapping[str, Step] = STEPS) -> str:
    """The step as people write it; of `foundations:matmul` with the name of the case."""
    name, _, case = step.partition(":")
    title = (name in steps and steps[name].title) or name.replace("_", " ")
    return f"{title}: {case.replace('_', ' ')}" if case else title


def needs(cell: Cell, step: str, train_on: str = "") -> tuple[tuple[Cell, str], ...]:
    """The steps that have to have passed before: they make the states and the graphs that this step starts from."""
    row = VARIANTS[cell.variant]
    is_made_now = step == row.stage
    before = []
    start = row.parent if is_made_now else cell.variant
    if start and (stage := VARIANTS[start].stage):
        before.append((maker_cell(cell, start, train_on), stage))
    from_graph = is_made_now and BACKENDS[row.backend].needs_graph
    if (from_graph or step == EXPORT) and row.parent and VARIANTS[row.parent].is_exported:
        before.append((parent_graph_cell(cell), EXPORT))
    return tuple(before)


def parent_graph_cell(cell: Cell) -> Cell:
    """The cell whose `export` step makes the graph of the state that `cell`'s is made from."""
    return graph_cell(replace(cell, variant=VARIANTS[cell.variant].parent))


def stage_of(step: str) -> str:
    """The stage whose gaps cover the step."""
    return step if step in STAGES else "bench"
