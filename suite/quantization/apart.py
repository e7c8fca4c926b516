"""Worker side. A graph's large weights moved to a file beside it, without reading either into memory.

Parsing a graph of N bytes takes 2 N, and every tool that copies or writes it takes N again; a graph whose weights lie
in a file of their own is as small as its nodes. The layout is that of onnx.proto and of
https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

GRAPH, INITIALIZER, RAW_DATA = 7, 5, 9
"""Numbers of fields in onnx.proto."""

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types."""

LARGE: Final = 65536
"""Bytes from which a tensor is moved. Smaller ones are shapes and indices, whose values tools want to see."""

PAGE: Final = 4096
"""Alignment of a tensor in the file, so that it can be mapped where it lies."""

Slice = tuple[int, int]


def set_apart(graph: Path, folder: Path, name: str = "apart") -> Path:
    """Write the graph to `folder`/`name`.onnx with its large tensors in `name`.data beside it; return its path.

    Tensors that are stored elsewhere already stay where they are: such a graph is returned as it is. Raise ValueError
    for a file that is cut off.
    """
    import onnx

    output = folder / f"{name}.onnx"
    with graph.open("rb") as file:
        if not graph.stat().st_size:
            raise ValueError(f"{graph.name}: the file is empty; expected an ONNX graph")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            view = memoryview(data)
            try:
                with (folder / f"{name}.data").open("wb") as weights:
                    model = _without_weights(view, weights, f"{name}.data")
            finally:
                view.release()
    if any(onnx.external_data_helper.uses_external_data(t) for t in _foreign(model, name)):
        return graph
    output.write_bytes(model.SerializeToString())
    return output


def _foreign(model: Any, name: str) -> Iterator[Any]:
    """Yield the tensors that lie in another file than ours."""
    for tensor in model.graph.initializer:
        places = {entry.value for entry in tensor.external_data if entry.key == "location"}
        if places - {f"{name}.data"}:
            yield tensor


def _without_weights(view: memoryview, weights: BinaryIO, location: str) -> Any:
    """Return the model without its large tensors' bytes, which go to the file."""
    import onnx

    rest, model = bytearray(), onnx.ModelProto()
    graphs = []
    for number, whole, content in _fields(view, 0, len(view)):
        if number == GRAPH:
            graphs.append(content)
        else:
            rest += view[slice(*whole)]
    model.ParseFromString(bytes(rest))
    for begin, end in graphs:
        nodes, tensors = bytearray(), []
        for number, whole, content in _fields(view, begin, end):
            if number == INITIALIZER:
                tensors.append(_tensor(view, content, weights, location))
            else:
                nodes += view[slice(*whole)]
        model.graph.MergeFromString(bytes(nodes))
        model.graph.initializer.extend(tensors)
    return model


def _tensor(view: memoryview, content: Slice, weights: BinaryIO, location: str) -> Any:
    """Return a tensor, with its bytes in the file if they are many."""
    import onnx

    raw: Slice | None = None
    rest = bytearray()
    for number, whole, inner in _fields(view, *content):
        if number == RAW_DATA and inner[1] - inner[0] >= LARGE:
            raw = inner
        else:
            rest += view[slice(*whole)]
    tensor = onnx.TensorProto()
    tensor.ParseFromString(bytes(rest))
    if raw is None:
        return tensor
    offset = -(-weights.tell() // PAGE) * PAGE
    weights.seek(offset)
    weights.write(view[slice(*raw)])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", offset), ("length", raw[1] - raw[0])):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, str(value)
    return tensor


def _fields(view: memoryview, begin: int, end: int) -> Iterator[tuple[int, Slice, Slice]]:
    """Yield (number, the field's bytes, its content's) of the message between two places."""
    at = begin
    while at < end:
        start = at
        tag, at = _varint(view, at, end)
        kind = tag & 7
        if kind == VARINT:
            content = at
            _, at = _varint(view, at, end)
        elif kind == BYTES:
            length, content = _varint(view, at, end)
            at = content + length
        elif kind in (FIXED64, FIXED32):
            content, at = at, at + (8 if kind == FIXED64 else 4)
        else:
            raise ValueError(
                f"byte {start} is no field of a protocol buffer; expected an ONNX graph"
            )
        if at > end:
            raise ValueError(
                f"the file ends within the field at byte {start}; expected a whole ONNX graph"
            )
        yield tag >> 3, (start, at), (content, at)


def _varint(view: memoryview, at: int, end: int) -> tuple[int, int]:
    """Return a number of variable length, and the place behind it."""
    value = shift = 0
    while at < end and shift < 70:
        byte = view[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise ValueError(f"the file ends within a number at byte {at}; expected a whole ONNX graph")
