"""A graph as a record: what an ONNX file holds, without its weights' bytes."""

from __future__ import annotations

from dataclasses import dataclass, field

Dim = int | str
"""An extent; a name or an expression such as `batch` or `2*batch` where it is open, `?` where nothing is known."""
Shape = tuple[Dim, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """What flows between nodes."""

    name: str
    dtype: str = ""
    """As ONNX names it in lower case (float, int64, int8); empty when not known."""
    shape: Shape | None = None
    """None when not even the number of axes is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """Weights and constants: an initializer, or a Constant of the main graph under the name of its output."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    num_bytes: int
    """Of its elements, wherever the file keeps them."""
    is_initializer: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One operation."""

    key: str
    """Unique in its graph: the name where the node has one of its own (`bench.onnx_graph.keys`). Nodes inside loops and
    branches have the key of the node around them in front, with a slash."""
    operator: str
    """With its domain where that is not ONNX's own: `com.microsoft::FusedMatMul`."""
    outer: str = ""
    """Key of the node of the main graph around it, which is what a picture shows; empty in the main graph."""
    scope: str = ""
    """The module it comes from, `layer1.0.conv1`; empty when the file does not say."""
    inputs: tuple[str, ...] = ()
    """Names of values; empty for an optional input that is left out."""
    outputs: tuple[Value, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    """(name, value as text), by name."""
    macs: int | None = 0
    """Multiply-accumulates of one run; 0 for what does none that counts, None when a shape it needs is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """One file."""

    path: str
    name: str
    """What the file calls the graph."""
    num_bytes: int
    """Of the file and of those that hold its weights."""
    ir_version: int
    opsets: tuple[tuple[str, int], ...]
    """(domain, version); ONNX's own domain is `ai.onnx`."""
    producer: str
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    nodes: tuple[Node, ...]
    tensors: tuple[Tensor, ...]
    open_axes: tuple[str, ...] = ()
    """Names of the inputs' axes that have no size."""
    metadata: tuple[tuple[str, str], ...] = field(default=())

    @property
    def macs(self) -> int:
        """Sum over the nodes whose shapes are known."""
        return sum(node.macs or 0 for node in self.nodes)

    @property
    def num_uncounted(self) -> int:
        """Nodes that multiply, but how much depends on open shapes."""
        return sum(node.macs is None for node in self.nodes)

    @property
    def initializer_bytes(self) -> int:
        """Bytes of the initializers' elements."""
        return sum(t.num_bytes for t in self.tensors if t.is_initializer)
