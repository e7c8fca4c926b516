"""The steps of a cell: what is done with it, in which order, where it makes sense, and what has to be done before."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from suite.axes import LEARNED, STAGES, VARIANTS
from suite.cell import Cell

RUNNERS: Final = {
    "foundations": "suite.foundations.run:run",
    "build": "suite.stages.build:run",
    "train": "suite.stages.train:run",
    "finetune": "suite.stages.finetune:run",
    "prune": "suite.stages.prune:run",
    "quantize": "suite.stages.quantize.run:run",
    "export": "suite.stages.export.run:run",
    "parallel": "suite.stages.parallel.run:run",
    "size": "bench.instruments.size:run",
    "latency": "bench.instruments.latency:run",
    "memory": "bench.instruments.memory:run",
    "coldstart": "bench.instruments.coldstart:run",
    "training": "bench.instruments.training:run",
    "dataloader": "bench.instruments.dataloader:run",
}
"""Step -> worker-side function, in the order in which a cell's steps run."""

STEPS: Final = tuple(RUNNERS)

MEASURED: Final = ("latency", "memory", "coldstart")
"""Steps that measure a model being run, in whatever state it is."""

GRAPHS: Final = ("export", *MEASURED)
"""Steps for which the graph has to be there."""

LEARNING: Final = ("training", "dataloader")
"""Steps that measure a model being trained: one state, in eager PyTorch."""


def runner_of(step: str) -> str:
    """The worker-side function of a step; of `foundations:matmul` that of `foundations`."""
    return RUNNERS[step.partition(":")[0]]


def graph_cell(cell: Cell) -> Cell:
    """The cell whose `export` step makes the graph that `cell` runs; graphs are exported on the CPU.

    The graph of a state belongs to the device that the state was made on.
    """
    device = "cpu" if cell.variant == "original" else cell.device
    return replace(cell, backend="onnxruntime", device=device, dtype="float32")


def maker_cell(cell: Cell, variant: str, train_on: str = "") -> Cell:
    """The cell whose stage makes that variant of the cell's model; weights on the device `train_on`, if not empty."""
    row = VARIANTS[variant]
    device = train_on if train_on and row.stage in LEARNED else cell.device
    return replace(cell, variant=variant, backend=row.backend, device=device)


def steps_of(cell: Cell) -> tuple[str, ...]:
    """The steps that make sense for a cell: one build and one graph for all devices; size is of the module."""
    steps = _original(cell) if cell.variant == "original" else _state(cell)
    return tuple(step for step in STEPS if step in steps)


def _original(cell: Cell) -> set[str]:
    steps = set(MEASURED)
    if cell == graph_cell(cell):
        steps.add("export")
    if cell.backend == "eager":
        # Training goes by the record's own length.
        steps |= {"size", *(() if cell.length else LEARNING)}
        if (cell.device, cell.dtype) == ("cpu", "float32"):
            steps.add("build")
    return steps


def _state(cell: Cell) -> set[str]:
    row = VARIANTS[cell.variant]
    steps = {row.stage} if cell.backend == row.backend else set()
    if row.is_exported and cell == graph_cell(cell):
        steps.add("export")
    if row.is_measured and cell.backend in (row.backends or (cell.backend,)):
        steps |= {*MEASURED, *(["size"] if cell.backend == "eager" else [])}
    return steps


def needs(cell: Cell, step: str, train_on: str = "") -> tuple[tuple[Cell, str], ...]:
    """The steps that have to have passed before: they make the states and the graphs that this step starts from."""
    row = VARIANTS[cell.variant]
    is_made_now = step == row.stage
    before = []
    start = row.parent if is_made_now else cell.variant
    if start and (stage := VARIANTS[start].stage):
        before.append((maker_cell(cell, start, train_on), stage))
    from_graph = is_made_now and row.backend == "onnxruntime"
    if (from_graph or step == "export") and row.parent and VARIANTS[row.parent].is_exported:
        before.append((parent_graph_cell(cell), "export"))
    return tuple(before)


def parent_graph_cell(cell: Cell) -> Cell:
    """The cell whose `export` step makes the graph of the state that `cell`'s is made from."""
    return graph_cell(replace(cell, variant=VARIANTS[cell.variant].parent))


def stage_of(step: str) -> str:
    """The stage whose gaps cover the step."""
    return step if step in STAGES else "bench"
