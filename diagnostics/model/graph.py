"""Reads the graph of an ONNX file from its bytes: nodes, values with their types, small facts of weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from diagnostics.model import onnx_file as proto
from diagnostics.model.wire import BYTES, FIXED32, VARINT, Buffer, Entry, entries, text, varint

# Field numbers of onnx.proto3 beside those of `onnx_file`.
GRAPH_INPUTS, GRAPH_OUTPUTS, GRAPH_VALUES = 11, 12, 13
NODE_INPUTS, NODE_OUTPUTS, NODE_NAME = 1, 2, 3
ATTRIBUTE_NAME, ATTRIBUTE_FLOAT, ATTRIBUTE_INT, ATTRIBUTE_STRING = 1, 2, 3, 4
ATTRIBUTE_FLOATS, ATTRIBUTE_INTS, ATTRIBUTE_STRINGS = 7, 8, 9
ATTRIBUTE_TYPE, ATTRIBUTE_REFERENCE, ATTRIBUTE_TYPE_PROTO = 20, 21, 14
FUNCTION_INPUTS, FUNCTION_OUTPUTS = 4, 5
TENSOR_DIMS, TENSOR_TYPE = 1, 2
SPARSE_VALUES = 1
MOST_NUMBERS = 64
"""Numbers of one attribute that are kept: rules ask for those of a few axes."""

# fmt: off
ELEMENT_TYPES: dict[int, str] = dict(enumerate((
    "float", "uint8", "int8", "uint16", "int16", "int32", "int64", "string", "bool", "float16",
    "double", "uint32", "uint64", "complex64", "complex128", "bfloat16", "float8e4m3fn",
    "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4", "int4", "float4e2m1", "float8e8m0",
    "uint2", "int2",
), 1))
"""`TensorProto.DataType` -> name as ONNX writes it in type strings."""

KINDS = (
    "undefined", "float", "int", "string", "tensor", "graph", "floats", "ints", "strings",
    "tensors", "graphs", "sparse_tensor", "sparse_tensors", "type_proto", "type_protos",
)
# fmt: on
"""Names of `AttributeProto.AttributeType`, by number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """What a stored tensor says about itself; its numbers are not read."""

    type: str
    """Such as `tensor(float16)`; empty for a number that is not known."""
    dims: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One attribute of a node."""

    kind: str
    """One of KINDS."""
    number: int = 0
    """The value of an `int`."""
    numbers: tuple[int, ...] = ()
    """The first values of `ints`, at most MOST_NUMBERS."""
    word: str = ""
    """The value of a `string`, shortened."""
    tensor: Tensor | None = None
    graphs: tuple[Graph, ...] = ()
    is_reference: bool = False
    """True when it stands for an attribute of the function around it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One operator in a graph."""

    operator: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Attribute]


@dataclass(slots=True, kw_only=True)
class Graph:
    """One graph: the model's, a subgraph of a node, or the body of a function."""

    nodes: list[Node] = field(default_factory=list)
    inputs: dict[str, str] = field(default_factory=dict)
    """Name -> type; an empty type is not declared."""
    outputs: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    """Types that are declared for values inside (`value_info`)."""
    shapes: dict[str, tuple[int | None, ...]] = field(default_factory=dict)
    """Declared shapes; None for an extent that is open."""
    stored: dict[str, Tensor] = field(default_factory=dict)
    """Initializers, sparse ones with their dense shape unknown."""


@dataclass(slots=True, kw_only=True)
class Function:
    """A model-local function."""

    name: str = ""
    domain: str = ""
    body: Graph = field(default_factory=Graph)
    opsets: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Graphs:
    """The graph of a model and its functions."""

    main: Graph = field(default_factory=Graph)
    functions: list[Function] = field(default_factory=list)


def read(data: Buffer) -> Graphs:
    """Return the graph and functions of a file. Raises WireError where the bytes are damaged."""
    found = Graphs()
    for entry in entries(data):
        if entry.kind != BYTES:
            continue
        if entry.number == proto.MODEL_GRAPH:
            _graph(data, entry, found.main, 0)
        elif entry.number == proto.MODEL_FUNCTIONS:
            found.functions.append(_function(data, entry))
    return found


def _graph(data: Buffer, at: Entry, graph: Graph, depth: int) -> None:
    for entry in entries(data, at.start, at.end):
        if entry.kind != BYTES:
            continue
        if entry.number == proto.GRAPH_NODES:
            graph.nodes.append(_node(data, entry, depth))
        elif entry.number == proto.GRAPH_INITIALIZERS:
            name, tensor = _tensor(data, entry)
            graph.stored[name] = tensor
        elif entry.number == proto.GRAPH_SPARSE:
            for inner in entries(data, entry.start, entry.end):
                if inner.number == SPARSE_VALUES and inner.kind == BYTES:
                    name, tensor = _tensor(data, inner)
                    graph.stored[name] = Tensor(type="", dims=())
        elif entry.number in (GRAPH_INPUTS, GRAPH_OUTPUTS, GRAPH_VALUES):
            name, kind, shape = _value(data, entry)
            place = {GRAPH_INPUTS: graph.inputs, GRAPH_OUTPUTS: graph.outputs}
            place.get(entry.number, graph.values)[name] = kind
            if shape is not None:
                graph.shapes[name] = shape


def _function(data: Buffer, at: Entry) -> Function:
    found = Function()
    for entry in entries(data, at.start, at.end):
        if entry.kind != BYTES:
            continue
        if entry.number == proto.FUNCTION_NAME:
            found.name = text(data, entry, 200)
        elif entry.number == proto.FUNCTION_DOMAIN:
            found.domain = text(data, entry, 200)
        elif entry.number == FUNCTION_INPUTS:
            found.body.inputs[text(data, entry, 1000)] = ""
        elif entry.number == FUNCTION_OUTPUTS:
            found.body.outputs[text(data, entry, 1000)] = ""
        elif entry.number == proto.FUNCTION_NODES:
            found.body.nodes.append(_node(data, entry, 1))
        elif entry.number == proto.FUNCTION_OPSETS:
            domain, version = proto.read_opset(data, entry)
            found.opsets[domain] = version
    return found


def _node(data: Buffer, at: Entry, depth: int) -> Node:
    inputs: list[str] = []
    outputs: list[str] = []
    attributes: dict[str, Attribute] = {}
    words = {NODE_NAME: "", proto.NODE_OP: "", proto.NODE_DOMAIN: ""}
    for entry in entries(data, at.start, at.end):
        if entry.kind != BYTES:
            continue
        if entry.number == NODE_INPUTS:
            inputs.append(text(data, entry, 1000))
        elif entry.number == NODE_OUTPUTS:
            outputs.append(text(data, entry, 1000))
        elif entry.number in words:
            words[entry.number] = text(data, entry, 1000)
        elif entry.number == proto.NODE_ATTRIBUTES:
            name, attribute = _attribute(data, entry, depth)
            attributes[name] = attribute
    domain = words[proto.NODE_DOMAIN]
    return Node(
        operator=words[proto.NODE_OP],
        domain="" if domain == "ai.onnx" else domain,
        name=words[NODE_NAME],
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        attributes=attributes,
    )


def _attribute(data: Buffer, at: Entry, depth: int) -> tuple[str, Attribute]:
    name = word = ""
    kind = number = 0
    tensor: Tensor | None = None
    graphs: list[Graph] = []
    numbers: list[int] = []
    is_reference = False
    guessed = "undefined"
    for entry in entries(data, at.start, at.end):
        if entry.number == ATTRIBUTE_TYPE and entry.kind == VARINT:
            kind = entry.value
        elif entry.number == ATTRIBUTE_INT and entry.kind == VARINT:
            number, guessed = entry.value, "int"
        elif entry.number == ATTRIBUTE_FLOAT and entry.kind == FIXED32:
            guessed = "float"
        elif entry.number == ATTRIBUTE_INTS:
            guessed = "ints"
            # Not one more: a file may hold millions.
            numbers += islice(_numbers(data, entry), MOST_NUMBERS - len(numbers))
        elif entry.number == ATTRIBUTE_FLOATS:
            guessed = "floats"
        elif entry.kind != BYTES:
            continue
        elif entry.number == ATTRIBUTE_NAME:
            name = text(data, entry, 200)
        elif entry.number == ATTRIBUTE_STRING:
            word, guessed = text(data, entry, 80), "string"
        elif entry.number == ATTRIBUTE_STRINGS:
            guessed = "strings"
        elif entry.number == proto.ATTRIBUTE_TENSOR:
            tensor, guessed = _tensor(data, entry)[1], "tensor"
        elif entry.number in (proto.ATTRIBUTE_GRAPH, proto.ATTRIBUTE_GRAPHS):
            graph = Graph()
            if depth < proto.MAX_DEPTH:
                _graph(data, entry, graph, depth + 1)
            graphs.append(graph)
            guessed = "graph"
        elif entry.number == ATTRIBUTE_REFERENCE:
            is_reference = entry.end > entry.start
    # Files of the first IR versions do not say the type.
    stated = KINDS[kind] if 0 < kind < len(KINDS) else guessed
    return name, Attribute(
        kind=stated,
        number=number,
        numbers=tuple(numbers),
        word=word,
        tensor=tensor,
        graphs=tuple(graphs),
        is_reference=is_reference,
    )


def _numbers(data: Buffer, entry: Entry) -> Iterator[int]:
    """Yield the numbers of a repeated field, which are packed in one entry or have an entry each."""
    if entry.kind == VARINT:
        yield entry.value
    elif entry.kind == BYTES:
        position = entry.start
        while position < entry.end:
            value, position = varint(data, position, entry.end)
            yield value


def _tensor(data: Buffer, at: Entry) -> tuple[str, Tensor]:
    name, kind = "", 0
    dims: list[int] = []
    for entry in entries(data, at.start, at.end):
        if entry.number == TENSOR_DIMS:
            dims += _numbers(data, entry)
        elif entry.number == TENSOR_TYPE and entry.kind == VARINT:
            kind = entry.value
        elif entry.number == proto.TENSOR_NAME and entry.kind == BYTES:
            name = text(data, entry, 1000)
    return name, Tensor(type=tensor_type(kind), dims=tuple(dims))


def tensor_type(number: int) -> str:
    """Return `tensor(float)` for 1, empty for a number that is not known."""
    name = ELEMENT_TYPES.get(number)
    return f"tensor({name})" if name else ""


def _value(data: Buffer, at: Entry) -> tuple[str, str, tuple[int | None, ...] | None]:
    name, kind, shape = "", "", None
    for entry in entries(data, at.start, at.end):
        if entry.number == 1 and entry.kind == BYTES:
            name = text(data, entry, 1000)
        elif entry.number == 2 and entry.kind == BYTES:
            kind, shape = _type(data, entry)
    return name, kind, shape


def _type(data: Buffer, at: Entry) -> tuple[str, tuple[int | None, ...] | None]:
    """Return the type string of a TypeProto, and the shape of a tensor; empty when it has none."""
    for entry in entries(data, at.start, at.end):
        if entry.kind != BYTES:
            continue
        inner = list(entries(data, entry.start, entry.end))
        if entry.number in (1, 8):
            number = next((e.value for e in inner if e.number == 1 and e.kind == VARINT), 0)
            shape = next((e for e in inner if e.number == 2 and e.kind == BYTES), None)
            kind = tensor_type(number)
            if entry.number == 8:
                return f"sparse_{kind}" if kind else "", None
            return kind, _shape(data, shape) if shape else None
        if entry.number in (4, 9):
            element = next((e for e in inner if e.number == 1 and e.kind == BYTES), None)
            kind = _type(data, element)[0] if element else ""
            wrapped = {4: "seq", 9: "optional"}[entry.number]
            return f"{wrapped}({kind})" if kind else "", None
        if entry.number == 5:
            key = next((e.value for e in inner if e.number == 1 and e.kind == VARINT), 0)
            element = next((e for e in inner if e.number == 2 and e.kind == BYTES), None)
            kind = _type(data, element)[0] if element else ""
            return f"map({ELEMENT_TYPES.get(key, '')}, {kind})" if kind else "", None
    return "", None


def _shape(data: Buffer, at: Entry) -> tuple[int | None, ...]:
    found: list[int | None] = []
    for entry in entries(data, at.start, at.end):
        if entry.number == 1 and entry.kind == BYTES:
            sizes = [
                e.value
                for e in entries(data, entry.start, entry.end)
                if e.number == 1 and e.kind == VARINT
            ]
            is_open = not sizes or sizes[0] >= 1 << 63
            found.append(None if is_open else sizes[0])
    return tuple(found)
