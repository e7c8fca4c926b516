"""The steps that measure a cell, beside the suite's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bench.coldstart import cold_record
from bench.compilation import STEP as COMPILATION
from bench.compilation import compilation_record
from bench.generation import STEP as GENERATE
from bench.generation import generate_record, generates
from bench.pairs import pairs_record, references
from suite.axes import BACKENDS, COMPILED, DTYPES, EAGER, QUANTIZE, REFERENCE, VARIANTS
from suite.cell import Cell
from suite.engine import steps as suite_steps
from suite.engine.steps import Step, graph_cell, is_original


def _is_measured(cell: Cell) -> bool:
    """A state that is measured, on a backend that runs it."""
    row = VARIANTS[cell.variant]
    return is_original(cell) or (
        row.is_measured and cell.backend in (row.backends or (cell.backend,))
    )


def _is_sized(cell: Cell) -> bool:
    """Sizes are those of the module, whatever runs it."""
    return _is_measured(cell) and cell.backend == EAGER


def _is_compared(cell: Cell) -> bool:
    """Every cell but those that the others are compared with."""
    return _is_measured(cell) and bool(references(cell))


def _is_judged(cell: Cell) -> bool:
    """Every cell but the reference in float32, and the graphs that the export stage judges itself."""
    is_reference = (cell.backend, cell.dtype) == (REFERENCE, DTYPES[0])
    return _is_measured(cell) and not is_reference and cell != graph_cell(cell)


def _is_compiled(cell: Cell) -> bool:
    """torch.compile works in the first pass, behind a cache that other runs have filled: it is taken apart here."""
    return _is_measured(cell) and cell.backend == COMPILED


def _is_trained(cell: Cell) -> bool:
    """Training is measured from the model as built, in eager PyTorch, by the record's own length."""
    return is_original(cell) and cell.backend == EAGER and not cell.length


def _is_generated(cell: Cell) -> bool:
    """Text is generated over depths of its own, from float weights; fewer bits are modes of the same step."""
    is_float = VARIANTS[cell.variant].stage != QUANTIZE
    writes = BACKENDS[cell.backend].generates
    return _is_measured(cell) and is_float and writes and not cell.length


TOGETHER: Final = "bench.instruments.together:run"
"""Runner of the steps that one process of a cell yields."""

MEASURING: Final = (
    Step(
        name="size",
        runner="bench.instruments.size:run",
        together=TOGETHER,
        typical_seconds={"tiny": (0.2, 0.0), "base": (0.6, 0.0)},
        applies=_is_sized,
        is_of_model=True,
    ),
    Step(
        name="latency",
        runner="bench.instruments.latency:run",
        together=TOGETHER,
        typical_seconds={"tiny": (0.8, 0.5), "base": (3.4, 3.4)},
        applies=_is_measured,
        needs_graph=True,
    ),
    Step(
        name="pairs",
        runner="bench.instruments.sitting:run",
        typical_seconds={"tiny": (1.2, 1.2), "base": (5.2, 5.2)},
        applies=_is_compared,
        needs_graph=True,
        compose=pairs_record,
    ),
    Step(
        name="memory",
        runner="bench.instruments.memory:run",
        together=TOGETHER,
        typical_seconds={"tiny": (0.8, 0.35), "base": (2.1, 1.8)},
        applies=_is_measured,
        needs_graph=True,
    ),
    Step(
        name="fidelity",
        runner="bench.instruments.fidelity:run",
        together=TOGETHER,
        typical_seconds={"tiny": (0.4, 0.4), "base": (3.0, 3.0)},
        applies=_is_judged,
        needs_graph=True,
    ),
    Step(
        name="coldstart",
        title="cold start",
        runner="bench.instruments.coldstart:run",
        typical_seconds={"tiny": (0.5, 0.02), "base": (0.6, 0.02)},
        applies=_is_measured,
        needs_graph=True,
        compose=cold_record,
    ),
    Step(
        name=COMPILATION,
        runner="bench.instruments.compilation:run",
        typical_seconds={"tiny": (20.0, 0.0), "base": (90.0, 0.0)},
        applies=_is_compiled,
        compose=compilation_record,
    ),
    Step(
        name=GENERATE,
        title="generation",
        runner="bench.instruments.generate:run",
        typical_seconds={"tiny": (2.0, 5.0), "base": (8.0, 14.0)},
        applies=_is_generated,
        makes_graph=True,
        suits=generates,
        compose=generate_record,
    ),
    Step(
        name="training",
        title="training step",
        runner="bench.instruments.training:run",
        typical_seconds={"tiny": (2.5, 0.0), "base": (8.3, 0.0)},
        applies=_is_trained,
    ),
    Step(
        name="dataloader",
        title="data loading",
        runner="bench.instruments.dataloader:run",
        typical_seconds={"tiny": (0.8, 0.0), "base": (2.7, 0.0)},
        applies=_is_trained,
    ),
)

STEPS: Final[Mapping[str, Step]] = {**suite_steps.STEPS, **{row.name: row for row in MEASURING}}
"""Every step, in the order in which a cell's steps run."""

GRAPHS: Final = tuple(name for name, row in STEPS.items() if row.needs_graph)
"""Steps for which the graph has to be there."""


def steps_of(cell: Cell) -> tuple[str, ...]:
    """The steps that make sense for a cell: one build and one graph for all devices; size is of the module."""
    return suite_steps.steps_of(cell, STEPS)


def step_name(step: str) -> str:
    """The step as people write it."""
    return suite_steps.step_name(step, STEPS)
