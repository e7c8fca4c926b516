"""Evidence: what a profiled session tells about a slow graph, as plain data."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from suite.results.step_result import StepResult

INTEGERS: Final = ("int64", "int32", "uint64", "uint32", "bool")
"""Element types of shapes and indices; those of quantized values are narrower."""
MOST_EXTENTS: Final = 64
"""Elements of an array above which it holds no shape."""
PRODUCTS: Final = (
    "Conv", "FusedConv", "ConvTranspose", "MatMul", "Gemm", "FusedMatMul", "FusedGemm", "QLinearConv", "QLinearMatMul",
    "MatMulInteger", "DynamicQuantizeMatMul", "MatMulIntegerToFloat", "ConvInteger", "QGemm",
    "MatMulNBits", "MatMulBnb4",
)  # fmt: skip
"""Operators in which the multiply-accumulates are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionProfileOptions:
    """Options of `bench.graph_analysis.session_profile`."""

    file: str
    """Path of the ONNX graph, not the job's own: any of a run's states, or a user's file."""
    sizes: dict[str, int] = field(default_factory=dict)
    """Open axis -> extent, for a user's own file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Array:
    """An input or an output of a profiled node."""

    dtype: str
    """ONNX Runtime's name: float, float16, int64, uint8 ..."""
    shape: tuple[int, ...]

    @property
    def num(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfiledNode:
    """One node of the graph as the session runs it, after its optimizations."""

    name: str
    operator: str
    seconds: float
    """Seconds per run, the median; of a node inside a loop over all its passes."""
    provider: str
    inputs: tuple[Array, ...] = ()
    outputs: tuple[Array, ...] = ()
    is_inner: bool = False
    """Whether it lies inside a loop or a branch, whose own seconds include it."""

    @property
    def groups(self) -> int:
        """Groups of a convolution; 1 for everything else."""
        if not self.is_convolution:
            return 1
        data, weight = self.inputs[0].shape, self.inputs[1].shape
        return (
            max(1, data[1] // weight[1]) if len(data) > 1 and weight[1:2] not in ((), (0,)) else 1
        )

    @property
    def is_convolution(self) -> bool:
        """Whether it is a convolution whose weight is known."""
        return self.operator in ("Conv", "FusedConv") and len(self.inputs) > 1

    @property
    def spatial_axes(self) -> int:
        """Spatial axes of a convolution; 0 for everything else."""
        return max(0, len(self.inputs[1].shape) - 2) if self.is_convolution else 0

    @property
    def macs(self) -> int:
        """Multiply-accumulates of a convolution or a matrix product; 0 for everything else, and where shapes lack."""
        if not self.outputs or len(self.inputs) < 2:
            return 0
        if self.is_convolution:
            return self.outputs[0].num * math.prod(self.inputs[1].shape[1:])
        if self.operator in PRODUCTS and self.inputs[0].shape:
            return self.outputs[0].num * self.inputs[0].shape[-1]
        return 0

    @property
    def is_of_shapes(self) -> bool:
        """Whether it computes with shapes and indices alone, or reads a shape."""
        return self.operator in ("Shape", "Size") or (
            bool(self.inputs)
            and all(a.dtype in INTEGERS and a.num <= MOST_EXTENTS for a in self.inputs)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence(StepResult):
    """What a session of one graph tells; the result of `bench.graph_analysis.session_profile`."""

    nodes: tuple[ProfiledNode, ...] = ()
    provider: str = ""
    """Provider that was asked for."""
    threads: int = 0
    fed: str = ""
    """What it was run on."""
    many: tuple[float, ...] = ()
    """Seconds of runs with all threads, in turns with those of `one`."""
    one: tuple[float, ...] = ()
    """Seconds of runs with one thread; empty if `threads` is 1."""
    starved: tuple[int, ...] = ()
    """Numbers of the turns in which the process did not get its cores: they tell nothing."""
    peak: float = 0.0
    """Multiply-accumulates per second of a large float32 matrix product with all threads; 0 if not measured."""
    eager: dict[str, float] = field(default_factory=dict)
    """Operator of PyTorch -> its own seconds per eager pass; empty if eager was not profiled."""

    @property
    def outer(self) -> tuple[ProfiledNode, ...]:
        """The nodes whose seconds add up to those of a run."""
        return tuple(node for node in self.nodes if not node.is_inner)

    @property
    def seconds(self) -> float:
        """Seconds of one run, over all nodes."""
        return sum(node.seconds for node in self.outer)

    def share(self, nodes: tuple[ProfiledNode, ...]) -> float:
        """Share (0..1) of a run that these outer nodes take."""
        return sum(node.seconds for node in nodes) / self.seconds if self.seconds else 0.0

    def chosen(self, is_meant: Callable[[ProfiledNode], bool]) -> tuple[ProfiledNode, ...]:
        """Return the outer nodes that are meant, longest first."""
        return tuple(sorted(filter(is_meant, self.outer), key=lambda node: -node.seconds))
