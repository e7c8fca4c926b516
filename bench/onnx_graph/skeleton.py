"""An ONNX file without the bytes of its weights: all that a picture or a summary needs, however large the file.

The file is mapped and walked in protobuf's wire format, so that 1.5 GB of weights are never read.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.onnx_graph.errors import explained
from bench.onnx_graph.keys import keys_of
from bench.onnx_graph.message import content_of, copy, put
from diagnostics.model import onnx_file as proto
from diagnostics.model.onnx_rules import TWO_GIB
from diagnostics.model.wire import BYTES, VARINT, Buffer, Entry, WireError, entries, text

# Field numbers of onnx.proto3 beside those that the doctor knows.
NODE_OUTPUT, NODE_NAME = 2, 3
GRAPH_ENDS: Final = (11, 12)
"""Fields of a graph's inputs and outputs; the first field of each holds its name and the second its shape."""
TENSOR_DIMS, TENSOR_DOC = 1, 12
TENSOR_CONTENT: Final = frozenset({4, 5, 6, 7, 9, 10, 11})
"""float_data, int32_data, string_data, int64_data, raw_data, double_data, uint64_data."""
TENSOR_PLACE: Final = frozenset({proto.TENSOR_EXTERNAL, proto.TENSOR_LOCATION})
KEPT: Final = 1024
"""Bytes of a tensor that stay: the shapes, axes and scales that shape inference reads and Netron shows."""
LONGEST: Final = 400
"""Bytes that the name and the shape of an input take together before they count as long."""
DIGEST: Final = "sha256:"
"""How the doc string of an attribute's tensor begins that lost its bytes; the rest is their digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skeleton:
    """What is left of a file."""

    data: bytes
    """A serialized ModelProto; nodes of the main graph without a name of their own are named by `keys`."""
    keys: tuple[str, ...]
    """The key of each node of the main graph, in order."""
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Initializer, or output of a Constant of the main graph -> where its TensorProto lies in the file."""
    has_functions: bool = False
    """The file defines operators of its own."""
    has_long_names: bool = False
    """An input or output has a name that no picture has room for."""


def skeleton_of(path: Path) -> Skeleton:
    """Reads the file; raises GraphError when it is no ONNX model or cannot be read."""
    with mapped(path) as view:
        try:
            return _model(view)
        except WireError as error:
            raise explained(path, str(error)) from error


@contextmanager
def mapped(path: Path) -> Iterator[memoryview]:
    """The bytes of the file, not read until they are looked at; raises GraphError for what is no file."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            if size == 0 or size > TWO_GIB:
                raise explained(path, "it is empty or too large")
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise explained(path, str(error.strerror or error)) from error
    with data, memoryview(data) as view:
        yield view


def _model(data: Buffer) -> Skeleton:
    out = bytearray()
    places: dict[str, tuple[int, int]] = {}
    keys: tuple[str, ...] | None = None
    has_functions = has_long_names = is_versioned = False
    for entry in entries(data):
        if entry.number == proto.MODEL_IR_VERSION and entry.kind == VARINT:
            is_versioned = True
        if entry.kind == BYTES and entry.number == proto.MODEL_GRAPH:
            keys = _keys(data, entry)
            has_long_names = _has_long_names(data, entry)
            put(out, entry.number, _graph(data, entry, keys, places))
        elif entry.kind == BYTES and entry.number == proto.MODEL_FUNCTIONS:
            has_functions = True
            put(out, entry.number, _function(data, entry))
        else:
            copy(out, data, entry)
    if keys is None or not is_versioned:
        raise WireError("it holds no graph" if keys is None else "it has no IR version")
    return Skeleton(
        data=bytes(out),
        keys=keys,
        places=places,
        has_functions=has_functions,
        has_long_names=has_long_names,
    )


def _keys(data: Buffer, graph: Entry) -> tuple[str, ...]:
    pairs = []
    for entry in entries(data, graph.start, graph.end):
        if entry.number != proto.GRAPH_NODES or entry.kind != BYTES:
            continue
        name = operator = ""
        for part in entries(data, entry.start, entry.end):
            if part.number == NODE_NAME and part.kind == BYTES:
                name = text(data, part, part.end - part.start)
            elif part.number == proto.NODE_OP and part.kind == BYTES:
                operator = text(data, part, 200)
        pairs.append((name, operator))
    return tuple(keys_of(pairs))


def _has_long_names(data: Buffer, graph: Entry) -> bool:
    return any(
        entry.number in GRAPH_ENDS and entry.end - entry.start > LONGEST
        for entry in entries(data, graph.start, graph.end)
    )


def _graph(
    data: Buffer,
    at: Entry,
    keys: tuple[str, ...] | None,
    places: dict[str, tuple[int, int]] | None,
) -> bytearray:
    """The graph without weights; with `keys` it is the main graph, whose nodes are named by them."""
    out = bytearray()
    number = 0
    for entry in entries(data, at.start, at.end):
        if entry.kind != BYTES:
            copy(out, data, entry)
        elif entry.number == proto.GRAPH_NODES:
            key = keys[number] if keys is not None else None
            number += 1
            put(out, entry.number, _node(data, entry, key, places))
        elif entry.number == proto.GRAPH_INITIALIZERS:
            put(out, entry.number, _tensor(data, entry, with_digest=False))
            if places is not None:
                places[_tensor_name(data, entry)] = (entry.start, entry.end)
        elif entry.number == proto.GRAPH_SPARSE:
            put(out, entry.number, _sparse(data, entry))
        else:
            copy(out, data, entry)
    return out


def _function(data: Buffer, at: Entry) -> bytearray:
    out = bytearray()
    for entry in entries(data, at.start, at.end):
        if entry.kind == BYTES and entry.number == proto.FUNCTION_NODES:
            put(out, entry.number, _node(data, entry, None, None))
        else:
            copy(out, data, entry)
    return out


def _node(
    data: Buffer, at: Entry, key: str | None, places: dict[str, tuple[int, int]] | None
) -> bytearray | memoryview | bytes:
    out = bytearray()
    name = operator = output = ""
    values: list[Entry] = []
    for entry in entries(data, at.start, at.end):
        if entry.kind == BYTES and entry.number == NODE_NAME:
            name = text(data, entry, entry.end - entry.start)
            if key is not None and key != name:
                continue
        elif entry.kind == BYTES and entry.number == proto.NODE_OP:
            operator = text(data, entry, 200)
        elif entry.kind == BYTES and entry.number == NODE_OUTPUT and not output:
            output = text(data, entry, entry.end - entry.start)
        elif entry.kind == BYTES and entry.number == proto.NODE_ATTRIBUTES:
            values.append(entry)
            if entry.end - entry.start > KEPT:
                put(out, entry.number, _attribute(data, entry))
                continue
        copy(out, data, entry)
    if key is not None and key != name:
        put(out, NODE_NAME, key.encode())
    if operator == "Constant" and places is not None:
        for value in values:
            for entry in entries(data, value.start, value.end):
                if entry.kind == BYTES and entry.number == proto.ATTRIBUTE_TENSOR:
                    places.setdefault(output, (entry.start, entry.end))
    return out


def _attribute(data: Buffer, at: Entry) -> bytearray:
    out = bytearray()
    for entry in entries(data, at.start, at.end):
        if entry.kind != BYTES:
            copy(out, data, entry)
        elif entry.number in (proto.ATTRIBUTE_TENSOR, proto.ATTRIBUTE_TENSORS):
            put(out, entry.number, _tensor(data, entry, with_digest=True))
        elif entry.number in (proto.ATTRIBUTE_GRAPH, proto.ATTRIBUTE_GRAPHS):
            put(out, entry.number, _graph(data, entry, None, None))
        else:
            copy(out, data, entry)
    return out


def _tensor(data: Buffer, at: Entry, *, with_digest: bool) -> bytearray | bytes:
    """The tensor, without its content where that is long, and without the place of its file."""
    parts = list(entries(data, at.start, at.end))
    is_long = at.end - at.start > KEPT
    dropped = TENSOR_CONTENT | TENSOR_PLACE if is_long else TENSOR_PLACE
    out = bytearray()
    digest = hashlib.sha256()
    for entry in parts:
        if entry.number not in dropped:
            copy(out, data, entry)
        elif with_digest and entry.number in TENSOR_CONTENT:
            digest.update(content_of(data, entry))
    if with_digest and is_long:
        put(out, TENSOR_DOC, f"{DIGEST}{digest.hexdigest()}".encode())
    return out


def _sparse(data: Buffer, at: Entry) -> bytearray:
    out = bytearray()
    for entry in entries(data, at.start, at.end):
        if entry.kind == BYTES:  # values and indices
            put(out, entry.number, _tensor(data, entry, with_digest=False))
        else:
            copy(out, data, entry)
    return out


def _tensor_name(data: Buffer, at: Entry) -> str:
    for entry in entries(data, at.start, at.end):
        if entry.number == proto.TENSOR_NAME and entry.kind == BYTES:
            return text(data, entry, entry.end - entry.start)
    return ""
