"""The steps of a cell: what is done with it, in which order, and where it makes sense."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from suite.axes import STAGES
from suite.cell import Cell

RUNNERS: Final = {
    "build": "suite.stages.build:run",
    "export": "suite.stages.export.run:run",
    "size": "bench.instruments.size:run",
    "latency": "bench.instruments.latency:run",
    "memory": "bench.instruments.memory:run",
    "coldstart": "bench.instruments.coldstart:run",
}
"""Step -> worker-side function, in the order in which a cell's steps run."""

STEPS: Final = tuple(RUNNERS)


def graph_cell(cell: Cell) -> Cell:
    """The cell whose `export` step makes the graph that `cell` runs; graphs are exported on the CPU."""
    return replace(cell, backend="onnxruntime", device="cpu", dtype="float32")


def steps_of(cell: Cell) -> tuple[str, ...]:
    """The steps that make sense for a cell: one build and one graph for all devices; size is of the module."""
    left_out = set()
    if cell != graph_cell(cell):
        left_out.add("export")
    if cell.backend != "eager":
        left_out |= {"build", "size"}
    if (cell.device, cell.dtype) != ("cpu", "float32"):
        left_out.add("build")
    return tuple(step for step in STEPS if step not in left_out)


def planned(cells: Iterable[Cell], steps: Sequence[str] = STEPS) -> list[dict[str, Any]]:
    """What the run is going to do, for `run.json`."""
    return [
        {"cell": cell.as_dict(), "step": step}
        for cell in cells
        for step in steps_of(cell)
        if step in steps
    ]


def stage_of(step: str) -> str:
    """The stage whose gaps cover the step."""
    return step if step in STAGES else "bench"
