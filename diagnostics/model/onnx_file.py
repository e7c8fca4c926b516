"""Reads versions, operators and references to other files from the bytes of an ONNX file."""

from __future__ import annotations

from dataclasses import dataclass, field

from diagnostics.model.wire import BYTES, VARINT, Buffer, Entry, WireError, entries, text

# Field numbers of onnx.proto3: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3
MODEL_IR_VERSION, MODEL_PRODUCER, MODEL_PRODUCER_VERSION, MODEL_GRAPH = 1, 2, 3, 7
MODEL_OPSETS, MODEL_FUNCTIONS = 8, 25
OPSET_DOMAIN, OPSET_VERSION = 1, 2
GRAPH_NODES, GRAPH_INITIALIZERS, GRAPH_SPARSE = 1, 5, 15
NODE_OP, NODE_ATTRIBUTES, NODE_DOMAIN = 4, 5, 7
ATTRIBUTE_TENSOR, ATTRIBUTE_GRAPH, ATTRIBUTE_TENSORS, ATTRIBUTE_GRAPHS = 5, 6, 10, 11
FUNCTION_NAME, FUNCTION_NODES, FUNCTION_DOMAIN, FUNCTION_OPSETS = 1, 7, 10, 9
TENSOR_NAME, TENSOR_EXTERNAL, TENSOR_LOCATION = 8, 13, 14
EXTERNAL = 1
MAX_DEPTH = 32
"""Nested graphs that are followed (If, Loop, Scan)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class External:
    """Where a tensor's bytes lie."""

    tensor: str
    location: str
    offset: int = 0
    length: int | None = None


@dataclass(slots=True, kw_only=True)
class OnnxFile:
    """The facts of one file; filled by the walk."""

    ir_version: int | None = None
    producer: str = ""
    has_graph: bool = False
    opsets: dict[str, int] = field(default_factory=dict)
    """Domain -> version; the standard domain is ""."""
    operators: dict[tuple[str, str], int] = field(default_factory=dict)
    """(domain, operator) -> how often."""
    functions: set[tuple[str, str]] = field(default_factory=set)
    """Operators that the file itself defines."""
    external: list[External] = field(default_factory=list)
    damage: str = ""
    """What is wrong with the bytes; empty when the walk reached the end."""


def read(data: Buffer) -> OnnxFile:
    """Return the facts of an ONNX file from its bytes; never raises, what is wrong is in `damage`."""
    found = OnnxFile()
    try:
        for entry in entries(data):
            _model_field(data, entry, found)
    except WireError as error:
        found.damage = str(error)
    return found


def looks_like_onnx(found: OnnxFile) -> bool:
    """Return True when the start of the file was that of a model."""
    return found.ir_version is not None and (found.has_graph or bool(found.opsets))


def _model_field(data: Buffer, entry: Entry, found: OnnxFile) -> None:
    number = entry.number
    if number == MODEL_IR_VERSION and entry.kind == VARINT:
        found.ir_version = entry.value
    elif entry.kind != BYTES:
        return
    elif number == MODEL_PRODUCER:
        found.producer = text(data, entry, 80)
    elif number == MODEL_PRODUCER_VERSION:
        found.producer = f"{found.producer} {text(data, entry, 80)}".strip()
    elif number == MODEL_GRAPH:
        found.has_graph = True
        _graph(data, entry, found, 0)
    elif number == MODEL_OPSETS:
        domain, version = read_opset(data, entry)
        found.opsets[domain] = max(version, found.opsets.get(domain, 0))
    elif number == MODEL_FUNCTIONS:
        _function(data, entry, found)


def read_opset(data: Buffer, at: Entry) -> tuple[str, int]:
    """Return domain and version of one opset import; the standard domain is ""."""
    domain, version = "", 0
    for entry in entries(data, at.start, at.end):
        if entry.number == OPSET_DOMAIN and entry.kind == BYTES:
            domain = text(data, entry, 200)
        elif entry.number == OPSET_VERSION and entry.kind == VARINT:
            version = entry.value
    return "" if domain == "ai.onnx" else domain, version


def _function(data: Buffer, at: Entry, found: OnnxFile) -> None:
    name = domain = ""
    for entry in entries(data, at.start, at.end):
        if entry.kind != BYTES:
            continue
        if entry.number == FUNCTION_NAME:
            name = text(data, entry, 200)
        elif entry.number == FUNCTION_DOMAIN:
            domain = text(data, entry, 200)
        elif entry.number == FUNCTION_NODES:
            _node(data, entry, found, 1)
    found.functions.add((domain, name))


def _graph(data: Buffer, at: Entry, found: OnnxFile, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise WireError(f"graphs nested deeper than {MAX_DEPTH}")
    for entry in entries(data, at.start, at.end):
        if entry.kind != BYTES:
            continue
        if entry.number == GRAPH_NODES:
            _node(data, entry, found, depth)
        elif entry.number == GRAPH_INITIALIZERS:
            _tensor(data, entry, found)


def _node(data: Buffer, at: Entry, found: OnnxFile, depth: int) -> None:
    operator = domain = ""
    for entry in entries(data, at.start, at.end):
        if entry.kind != BYTES:
            continue
        if entry.number == NODE_OP:
            operator = text(data, entry, 200)
        elif entry.number == NODE_DOMAIN:
            domain = text(data, entry, 200)
        elif entry.number == NODE_ATTRIBUTES:
            _attribute(data, entry, found, depth)
    key = ("" if domain == "ai.onnx" else domain, operator)
    found.operators[key] = found.operators.get(key, 0) + 1


def _attribute(data: Buffer, at: Entry, found: OnnxFile, depth: int) -> None:
    for entry in entries(data, at.start, at.end):
        if entry.kind != BYTES:
            continue
        if entry.number in (ATTRIBUTE_TENSOR, ATTRIBUTE_TENSORS):
            _tensor(data, entry, found)
        elif entry.number in (ATTRIBUTE_GRAPH, ATTRIBUTE_GRAPHS):
            _graph(data, entry, found, depth + 1)


def _tensor(data: Buffer, at: Entry, found: OnnxFile) -> None:
    name, pairs, is_external = "", {}, False
    for entry in entries(data, at.start, at.end):
        if entry.number == TENSOR_NAME and entry.kind == BYTES:
            name = text(data, entry, 200)
        elif entry.number == TENSOR_LOCATION and entry.kind == VARINT:
            is_external = entry.value == EXTERNAL
        elif entry.number == TENSOR_EXTERNAL and entry.kind == BYTES:
            key, value = _pair(data, entry)
            pairs[key] = value
    if is_external:
        found.external.append(
            External(
                tensor=name,
                location=pairs.get("location", ""),
                offset=_number(pairs.get("offset")) or 0,
                length=_number(pairs.get("length")),
            )
        )


def _pair(data: Buffer, at: Entry) -> tuple[str, str]:
    parts = {e.number: text(data, e) for e in entries(data, at.start, at.end) if e.kind == BYTES}
    return parts.get(1, ""), parts.get(2, "")


def _number(value: str | None) -> int | None:
    return int(value) if value and value.isascii() and value.isdigit() else None
