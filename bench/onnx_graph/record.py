"""Graph record: the content of an ONNX file without its weights' bytes."""

from __future__ import annotations

from dataclasses import dataclass, field

Dim = int | str
"""An extent; a name or an expression such as `batch` or `2*batch` if it is open, `?` if nothing is known."""
Shape = tuple[Dim, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """An input, an output or an intermediate result of a graph."""

    name: str
    dtype: str = ""
    """ONNX's name in lower case (float, int64, int8); empty if unknown."""
    shape: Shape | None = None
    """None if even the number of axes is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The position of a stored tensor in the file."""

    start: int
    end: int
    """End of the protobuf message, exclusive."""
    kind: str = "tensor"
    """tensor, sparse, or the attribute of a Constant that holds plain numbers or text: floats, ints, strings."""
    content: int | None = None
    """Start of the elements' own bytes if the message has them all, in one piece; None: look into the message."""
    dtype: int = 0
    """Number of TensorProto.DataType, known with `content`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A stored tensor: an initializer, or the value of a Constant node under the name of its output.

    The name is prefixed by the place in a graph inside a node, `loop/body/weight`, and by the function in a function of
    the file, `domain::Function/weight`.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    num_bytes: int
    """Bytes of its elements, wherever the file stores them."""
    is_initializer: bool = True
    place: Place | None = None
    """None for a tensor that was not read from a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One operation."""

    key: str
    """Unique key in its graph: the node's name if it is unique (`bench.onnx_graph.keys`). Keys of nodes inside loops
    and branches are prefixed by the enclosing node's key and a slash.
    """
    operator: str
    """Operator with its domain unless it is ONNX's own: `com.microsoft::FusedMatMul`."""
    outer: str = ""
    """Key of the main graph's node that contains it, which a picture shows; empty in the main graph."""
    scope: str = ""
    """Module of origin, `layer1.0.conv1`; empty if the file does not record it."""
    inputs: tuple[str, ...] = ()
    """Names of values; empty for an omitted optional input. Names of values produced inside loops and branches are
    prefixed by the place, like keys.
    """
    outputs: tuple[Value, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    """(name, value as text), sorted by name."""
    macs: int | None = 0
    """Multiply-accumulates of one run of the graph, including all passes of an enclosing loop; 0 if nothing is
    multiplied, None if unknown.
    """
    uncounted: str = ""
    """Reason why `macs` is None."""
    is_alternative: bool = False
    """Whether it is in the branch of an If that has fewer multiply-accumulates: not part of the graph's sum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """Graph inside a node: a branch of an If, or the body of a Loop or a Scan."""

    place: str
    """Key of the enclosing node and the attribute: `loop/body`."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    """Names as in the `inputs` and `outputs` of nodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """One file."""

    path: str
    name: str
    """Name of the graph in the file."""
    num_bytes: int
    """Bytes of the file and of those that hold its weights."""
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
    """Axes of the inputs without a fixed size: their names, `INPUT:AXIS` for one without a name."""
    sizes: tuple[tuple[str, int], ...] = ()
    """(open axis, extent) assumed for `macs`."""
    num_choices: int = 0
    """Number of If nodes of which the branch with more multiply-accumulates is counted."""
    metadata: tuple[tuple[str, str], ...] = field(default=())

    @property
    def macs(self) -> int:
        """Sum over the nodes whose multiply-accumulates are known; for an If the larger branch."""
        return sum(node.macs or 0 for node in self.nodes if not node.is_alternative)

    @property
    def num_uncounted(self) -> int:
        """Number of multiplying nodes whose multiply-accumulates are unknown."""
        return sum(node.macs is None for node in self.nodes)

    @property
    def uncounted(self) -> tuple[str, ...]:
        """Reasons why nodes are not counted, each once."""
        return tuple(dict.fromkeys(node.uncounted for node in self.nodes if node.uncounted))

    @property
    def initializer_bytes(self) -> int:
        """Bytes of the initializers' elements."""
        return sum(t.num_bytes for t in self.tensors if t.is_initializer)
