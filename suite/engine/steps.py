"""Steps of a cell: what they run, their order, the cells to which they apply, and their prerequisites."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
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
from suite.engine.typical_weights import weight_of

if TYPE_CHECKING:
    from suite.engine.session import Session
    from suite.record import Record
    from suite.spec import ModelSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One operation on a cell in a fresh process."""

    name: str
    """Unique name; used as the test's name and the record's step."""
    runner: str
    """Worker side: `package.module:function`, called as `function(job, emit)`."""
    applies: Callable[[Cell], bool]
    """Returns whether the step applies to a cell."""
    suits: Callable[[ModelSpec], bool] | None = None
    """Returns whether the step makes sense for a model; None = for all."""
    title: str = ""
    """Display name; empty = `name`."""
    typical_seconds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Size -> seconds that it typically takes on two cores, of a module and of a graph: the first guess at how long a
    run will go on."""
    is_of_model: bool = False
    """Whether it is about the model alone, whatever runs it: a gap of a backend does not cover it."""
    needs_graph: bool = False
    """Whether a cell of a backend that runs graphs needs its graph before this step."""
    makes_graph: bool = False
    """Whether the step makes the graph that it runs: then it does not wait for the cell's exported one."""
    together: str = ""
    """Runner that takes this step in one process with the cell's other planned steps of the same runner; empty = the
    step always has its own process."""
    compose: Callable[[Session, Cell], Record] | None = None
    """Makes the step's record from other records and jobs of the session; None = the record is that of one job."""


def _makes(stage: str) -> Callable[[Cell], bool]:
    """Return a predicate: whether that stage makes the cell's variant for this cell."""

    def applies(cell: Cell) -> bool:
        row = VARIANTS[cell.variant]
        return row.stage == stage and cell.backend == row.backend

    return applies


def _is_built(cell: Cell) -> bool:
    """Return whether the cell is the one built for all devices and dtypes."""
    return is_original(cell) and (cell.backend, cell.device, cell.dtype) == (
        EAGER,
        CPU,
        "float32",
    )


def _is_exported(cell: Cell) -> bool:
    """Return whether the cell is the one exported for all devices."""
    is_exported = is_original(cell) or VARIANTS[cell.variant].is_exported
    return is_exported and cell == graph_cell(cell)


def is_original(cell: Cell) -> bool:
    """Return whether the cell is of the model as built."""
    return cell.variant == ORIGINAL


_APPLIES: Final = {BUILD: _is_built, EXPORT: _is_exported}
"""Stages that make no state -> whether they apply to a cell."""

EXPORT_SECONDS: Final = {"tiny": (7.0, 7.0), "base": (24.0, 24.0)}

STEPS: Final[Mapping[str, Step]] = {
    row.name: row
    for row in (
        Step(
            name=FOUNDATIONS,
            runner="suite.foundations.run:run",
            applies=lambda cell: False,  # belongs to no model: its cells are made separately
        ),
        *(
            Step(
                name=row.name,
                title=row.title,
                runner=row.runner,
                typical_seconds=EXPORT_SECONDS if row.name == EXPORT else {},
                applies=_APPLIES.get(row.name) or _makes(row.name),
                needs_graph=row.name == EXPORT,
            )
            for row in STAGE_ROWS.values()
        ),
    )
}
"""The suite's own steps in execution order; `bench.steps` adds the measuring steps."""


def graph_cell(cell: Cell) -> Cell:
    """Return the cell whose `export` step makes the graph that `cell` runs; graphs are exported on the CPU.

    The graph of a state belongs to the device on which the state was made.
    """
    device = CPU if cell.variant == ORIGINAL else cell.device
    return replace(cell, backend=ONNXRUNTIME, device=device, dtype="float32")


def maker_cell(cell: Cell, variant: str, train_on: str = "") -> Cell:
    """Return the cell whose stage makes that variant of the cell's model; weights on device `train_on`, if not
    empty. What a graph runs in says nothing about the weights: they are made in float32.
    """
    row = VARIANTS[variant]
    device = train_on if train_on and row.stage in LEARNED else cell.device
    dtype = graph_cell(cell).dtype if BACKENDS[cell.backend].needs_graph else cell.dtype
    return replace(cell, variant=variant, backend=row.backend, device=device, dtype=dtype)


def typical_seconds(cell: Cell, step: str, steps: Mapping[str, Step] = STEPS) -> float:
    """Return the seconds that the step typically takes for such a cell; 0 if they are not known."""
    name = step.partition(":")[0]
    of_module, of_graph = steps[name].typical_seconds.get(cell.size, (0.0, 0.0))
    weight = weight_of(cell.size, cell.model, name)
    return weight * (of_graph if BACKENDS[cell.backend].needs_graph else of_module)


def steps_of(cell: Cell, steps: Mapping[str, Step] = STEPS) -> tuple[str, ...]:
    """Return the names of those of `steps` that apply to a cell, in order; `Step.suits` asks for its model's record."""
    return tuple(name for name, row in steps.items() if row.applies(cell))


def step_name(step: str, steps: Mapping[str, Step] = STEPS) -> str:
    """Return the step's display name; for `foundations:matmul` it includes the name of the case."""
    name, _, case = step.partition(":")
    title = (name in steps and steps[name].title) or name.replace("_", " ")
    return f"{title}: {case.replace('_', ' ')}" if case else title


def needs(cell: Cell, step: str, train_on: str = "") -> tuple[tuple[Cell, str], ...]:
    """Return the steps that must have passed first: they make the states and graphs that this step starts from."""
    row = VARIANTS[cell.variant]
    is_made_now = step == row.stage
    before = []
    start = row.parent if is_made_now else cell.variant
    if start and (stage := VARIANTS[start].stage):
        before.append((maker_cell(cell, start, train_on), stage))
    is_of_graph = BACKENDS[row.backend].needs_graph
    # A quantized graph is made of its parent's, and compared with it.
    has_graph = is_of_graph or (row.parent and VARIANTS[row.parent].is_exported)
    if ((is_made_now and is_of_graph) or step == EXPORT) and row.parent and has_graph:
        before.append((parent_graph_cell(cell), EXPORT))
    return tuple(before)


def parent_graph_cell(cell: Cell) -> Cell:
    """Return the cell whose `export` step makes the graph of the parent state of `cell`."""
    return graph_cell(replace(cell, variant=VARIANTS[cell.variant].parent))


def stage_of(step: str) -> str:
    """Return the stage whose gaps cover the step."""
    return step if step in STAGES else "bench"
