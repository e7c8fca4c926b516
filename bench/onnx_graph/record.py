"""A graph as a record: what an ONNX file holds, without its weights' bytes."""

from __future__ import annotations

from dataclasses import dataclass, field

Dim = int | str
"""An extent; a name or an expression such as `batch` or `2*batch` where it is open, `?` where nothing is known."""
Shape = tuple[Dim, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """An input, an output or an intermediate result of a graph."""

    name: str
    dtype: str = ""
    """As ONNX names it in lower case (float, int64, int8); empty when not known."""
    shape: Shape | None = None
    """None when not even the number of axes is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The position of a stored tensor in the file."""

    start: int
    end: int
    """Of the protobuf message, end excluded."""
    kind: str = "tensor"
    """tensor, sparse, or the attribute of a Constant that holds plain numbers or text: floats, ints, strings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A stored tensor: an initializer, or the value of a Constant node under the name of its output.

    In a graph inside a node the name has the place in front, `loop/body/weight`; in a function of the file the
    function, `domain::Function/weight`.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    num_bytes: int
    """Of its elements, wherever the file keeps them."""
    is_initializer: bool = True
    place: Place | None = None
    """None for a tensor that was read from no file."""


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
    """Names of values; empty for an optional input that is left out. Inside loops and branches the names of values
    made there have the place in front, as the keys have."""
    outputs: tuple[Value, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    """(name, value as text), by name."""
    macs: int | None = 0
    """Multiply-accumulates of one run of the graph, all passes of a loop around it included; 0 where nothing is
    multiplied, None where they are not known."""
    uncounted: str = ""
    """Why `macs` is None."""
    is_alternative: bool = False
    """In the branch of an If that has fewer multiply-accumulates: not part of the sum of the graph."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A graph inside a node: a branch of an If, or the body of a Loop or a Scan."""

    place: str
    """Key of the node around it and the attribute: `loop/body`."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    """Names as nodes give them in `inputs` and `outputs`."""


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
    bodies: tuple[Body, ...] = ()
    open_axes: tuple[str, ...] = ()
    """The inputs' axes without a fixed size: their names, `INPUT:AXIS` for one without a name."""
    sizes: tuple[tuple[str, int], ...] = ()
    """(open axis, extent) as taken for `macs`."""
    num_choices: int = 0
    """If nodes of which the branch with more multiply-accumulates is counted."""
    metadata: tuple[tuple[str, str], ...] = field(default=())

    @property
    def macs(self) -> int:
        """Sum over the nodes whose multiply-accumulates are known; of an If the larger branch."""
        return sum(node.macs or 0 for node in self.nodes if not node.is_alternative)

    @property
    def num_uncounted(self) -> int:
        """Nodes that multiply, but how much is not known."""
        return sum(node.macs is None for node in self.nodes)

    @property
    def uncounted(self) -> tuple[str, ...]:
        """Why nodes are not counted, each reason once."""
        return tuple(dict.fromkeys(node.uncounted for node in self.nodes if node.uncounted))

    @property
    def initializer_bytes(self) -> int:
        """Bytes of the initializers' elements."""
        return sum(t.num_bytes for t in self.tensors if t.is_initializer)
