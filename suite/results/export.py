"""Result of the stage `export`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from suite.results.step_result import StageResult
from suite.tolerance import Tolerance

PASSED: Final = "passed"
FAILED: Final = "failed"
VACUOUS: Final = "vacuous"
"""Verdicts of a parity; vacuous: it agrees, and the comparison could not have shown a wrong graph."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphValue:
    """An input or output of a graph."""

    name: str
    dtype: str
    shape: tuple[int | str, ...] = ()
    """Extents; a dynamic axis by its name, `?` where it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxSummary:
    """A graph file in numbers."""

    opset: int | None = None
    ir_version: int | None = None
    exporter: str = ""
    """The recipe that made it."""
    producer: str = ""
    num_nodes: int | None = None
    """Nodes of subgraphs and local functions included."""
    operators: dict[str, int] = field(default_factory=dict)
    inputs: tuple[GraphValue, ...] = ()
    outputs: tuple[GraphValue, ...] = ()
    num_initializers: int | None = None
    initializer_bytes: int | None = None
    num_bytes: int | None = None
    """Of the graph's file and of its weights' file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeParity:
    """One comparison of a graph with the judge: the module in float64 on the same input."""

    axis: str
    """`example`, `input` (another input of the example's shape), the dynamic axis that was changed, or the mask that
    was cut."""
    extent: int | None = None
    """Extent of that axis."""
    max_abs: float | None = None
    """Largest absolute difference from the judge over all outputs, in the outputs' unit; None when they cannot be
    compared."""
    max_rel: float | None = None
    """Largest over the outputs of: absolute difference / largest magnitude in the output."""
    spread: float | None = None
    """How far eager's results for two inputs lie apart, in allowed errors."""
    verdict: str = ""
    """passed, failed or vacuous."""
    reason: str = ""
    judge: str = ""
    """What eager and the graph were held against: `float64`, with the operators that could not run in it, or `eager`.
    Empty in records from before 2026-11-29, which compared with eager."""
    eager_error: float | None = None
    """Eager's error: root mean square over the output's, of the output where the graph does worst."""
    graph_error: float | None = None
    """The graph's error there."""
    times_eager: float | None = None
    """Largest error of the graph over any output and slice, in errors of eager there; up to `Tolerance.multiple`
    passes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """Whether a graph agrees with eager, over all shapes."""

    verdict: str = ""
    """passed, failed or vacuous."""
    shapes: tuple[ShapeParity, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRecipe:
    """The exporter that made the graph, and why it was the one."""

    name: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One recipe's try."""

    recipe: str
    seconds: float
    step: str = ""
    """Where it failed: export, check, session or parity; empty = it worked."""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalRow:
    """A quantized graph against its module on one input."""

    axis: str
    extent: int | None = None
    decibels: tuple[float | None, ...] = ()
    """Signal-to-noise ratio of each output; None for one that has no ratio."""
    found: tuple[int, int] | None = None
    """For lists of detections: boxes that were found again, and boxes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheUse:
    """How the export cache served."""

    hit: bool
    key: str
    kept: bool | None = None
    """Whether a fresh export was kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportResult(StageResult):
    """A model that became an ONNX graph."""

    onnx: OnnxSummary | None = None
    parity: Parity | None = None
    """Against float64; None for a quantized graph, whose outputs are compared by `signal`."""
    recipe: ExportRecipe | None = None
    attempts: tuple[Attempt, ...] = ()
    traced: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Graph input -> shape of the example that was traced."""
    static_reason: str = ""
    """Why an axis that a user would expect to be dynamic is not."""
    tolerance: Tolerance | None = None
    provider: str = ""
    """ONNX Runtime's execution provider of the comparison."""
    signal: tuple[SignalRow, ...] = ()
    cache: CacheUse | None = None
