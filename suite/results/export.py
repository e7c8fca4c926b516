"""Result of the stage `export`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from suite.results.step_result import StageResult
from suite.tolerance import Tolerance

PASSED: Final = "passed"
FAILED: Final = "failed"
VACUOUS: Final = "vacuous"
"""Verdict of a parity that agrees but could not have detected a wrong graph."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphValue:
    """An input or output of a graph."""

    name: str
    dtype: str
    shape: tuple[int | str, ...] = ()
    """Extents; a dynamic axis by its name, `?` if it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxSummary:
    """Size and content of a graph file."""

    opset: int | None = None
    ir_version: int | None = None
    exporter: str = ""
    """Recipe that made it."""
    producer: str = ""
    num_nodes: int | None = None
    """Number of nodes, including those of subgraphs and local functions."""
    operators: dict[str, int] = field(default_factory=dict)
    inputs: tuple[GraphValue, ...] = ()
    outputs: tuple[GraphValue, ...] = ()
    num_initializers: int | None = None
    initializer_bytes: int | None = None
    num_bytes: int | None = None
    """Bytes of the graph's file and of its weights' file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeParity:
    """One comparison of a graph with the reference: the module in float64 on the same input."""

    axis: str
    """`example`, `input` (another input of the example's shape), the dynamic axis that was changed, or the mask that
    was cut.
    """
    extent: int | None = None
    """Extent of that axis."""
    max_abs: float | None = None
    """Largest absolute difference from the reference over all outputs, in the outputs' unit; None if they cannot be
    compared.
    """
    max_rel: float | None = None
    """Maximum over the outputs of: absolute difference / largest magnitude in the output."""
    spread: float | None = None
    """Difference of eager's results for two inputs, in allowed errors."""
    verdict: str = ""
    """passed, failed or vacuous."""
    reason: str = ""
    judge: str = ""
    """What the graph is held against: `float64`, with the operators that could not run in it; `eager`, beside the
    example, where the graph is within half of the allowed error of it; or `eager` with the reason. Empty in records
    from before 2026-11-29, which compared with eager.
    """
    eager_error: float | None = None
    """Eager's error: its root mean square over the output's, for the output where the graph is worst; None without a
    float64 run."""
    graph_error: float | None = None
    """The graph's error for the same output."""
    times_eager: float | None = None
    """Largest ratio of the graph's error to eager's over any output and slice; up to `Tolerance.multiple` passes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """Whether a graph agrees with eager, over all shapes."""

    verdict: str = ""
    """passed, failed or vacuous."""
    shapes: tuple[ShapeParity, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRecipe:
    """Exporter that made the graph, and why it was chosen."""

    name: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt with a recipe."""

    recipe: str
    seconds: float
    step: str = ""
    """Phase in which it failed: export, check, session or parity; empty = it succeeded."""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalRow:
    """Comparison of a quantized graph with its module on one input."""

    axis: str
    extent: int | None = None
    decibels: tuple[float | None, ...] = ()
    """Signal-to-noise ratio of each output; None for an output without one."""
    found: tuple[int, int] | None = None
    """For lists of detections: number of boxes found again, and number of boxes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheUse:
    """Use of the export cache."""

    hit: bool
    key: str
    kept: bool | None = None
    """Whether a fresh export was stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportResult(StageResult):
    """A model that was exported to an ONNX graph."""

    onnx: OnnxSummary | None = None
    parity: Parity | None = None
    """Parity with float64; None for a quantized graph, whose outputs are compared by `signal`."""
    recipe: ExportRecipe | None = None
    attempts: tuple[Attempt, ...] = ()
    traced: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Graph input -> shape of the traced example."""
    static_reason: str = ""
    """Why an axis that a user would expect to be dynamic is static."""
    tolerance: Tolerance | None = None
    provider: str = ""
    """ONNX Runtime's execution provider in the comparison."""
    signal: tuple[SignalRow, ...] = ()
    cache: CacheUse | None = None
