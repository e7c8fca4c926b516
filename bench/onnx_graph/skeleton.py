"""ONNX file without the bytes of its weights: enough for a picture or a summary, however large the file.

The file is memory-mapped and parsed in protobuf's wire format, so that 1.5 GB of weights are never read.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.onnx_graph.errors import explained
from bench.onnx_graph.keys import keys_of
from bench.onnx_graph.message import content_of, copy, put
from bench.onnx_graph.record import Place, Tensor
from bench.onnx_graph.stored import (
    TENSOR_CONTENT,
    TENSOR_RAW,
    Header,
    header_of,
    num_bytes_of,
    num_values,
    place_of,
    whole_numbers,
)
from bench.onnx_graph.values import dtype_name
from diagnostics.model import onnx_file as proto
from diagnostics.model.wire import BYTES, TWO_GIB, VARINT, Buffer, Entry, WireError, entries, text

# Field numbers of onnx.proto3 besides those that the doctor knows.
NODE_OUTPUT, NODE_NAME = 2, 3
ATTRIBUTE_NAME, ATTRIBUTE_SPARSE, ATTRIBUTE_SPARSES = 1, 22, 23
LISTS: Final = {7: ("floats", 1), 8: ("ints", 7), 9: ("strings", 8)}
"""Attribute field of a Constant with several plain values -> (kind of the place, type of its elements)."""
SPARSE_VALUES, SPARSE_INDICES, SPARSE_DIMS = 1, 2, 3
GRAPH_ENDS: Final = (11, 12)
"""Fields of a graph's inputs and outputs; the first field of each holds its name and the second its shape."""
TENSOR_DOC: Final = 12
TENSOR_LOCATED: Final = frozenset({proto.TENSOR_EXTERNAL, proto.TENSOR_LOCATION})
KEPT: Final = 1024
"""Maximum number of bytes of a tensor that are kept: shapes, axes and scales that shape inference reads and Netron
shows.
"""
SHORT: Final = 16
"""Bytes up to which an attribute is too short for a tensor or a graph."""
LONGEST: Final = 400
"""Bytes of the name and shape of an input above which they count as long."""
WALKED: Final = 1 << 21
"""Bytes of tensors after which the memory of the parsed pages is released."""
DIGEST: Final = "sha256:"
"""Prefix of the doc string of an attribute's tensor whose bytes were removed; the rest is their digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skeleton:
    """Remaining content of a file."""

    data: bytes
    """Serialized ModelProto; nodes without a unique name are named by `keys_of`, except those of functions."""
    keys: tuple[str, ...]
    """The key of each node of the main graph, in order."""
    tensors: tuple[Tensor, ...] = ()
    """Every stored tensor, including those inside nodes and functions, in the order of the file."""
    locations: tuple[str, ...] = ()
    """Names in the file of the files that hold weights."""
    has_functions: bool = False
    """Whether the file defines operators of its own."""
    has_long_names: bool = False
    """Whether an input or output name is too long for a picture."""

    @property
    def places(self) -> dict[str, tuple[int, int]]:
        """Stored tensor -> start and end of its message in the file."""
        return {t.name: (t.place.start, t.place.end) for t in self.tensors if t.place}


def skeleton_of(path: Path) -> Skeleton:
    """Read the file; raise GraphError if it is not an ONNX model or cannot be read."""
    with mapped(path) as view:
        try:
            return _Walk(view, path).model()
        except WireError as error:
            raise explained(path, str(error)) from error


@contextmanager
def mapped(path: Path) -> Iterator[memoryview]:
    """Yield the memory-mapped bytes of the file; raise GraphError if it is not a file."""
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


def release(view: Buffer) -> None:
    """Release the accessed pages of a mapped file to the system, which reads them again on demand.

    Accessing a page also loads its neighbours, so that parsing many tensors would keep the whole file in memory.
    """
    mapping = view.obj if isinstance(view, memoryview) else None
    if isinstance(mapping, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        mapping.madvise(mmap.MADV_DONTNEED)


@dataclass(frozen=True, slots=True)
class _Head:
    """Name and operator of a node."""

    name: str
    operator: str
    output: str


class _Walk:
    """One pass over a file: writes the skeleton and lists the stored tensors."""

    def __init__(self, data: Buffer, path: Path) -> None:
        self._data = data
        self._path = path
        self._walked = 0
        self._tensors: list[Tensor] = []
        self._locations: dict[str, None] = {}
        self._keys: tuple[str, ...] | None = None

    def model(self) -> Skeleton:
        data = self._data
        out = bytearray()
        has_functions = has_long_names = is_versioned = False
        for entry in entries(data):
            if entry.number == proto.MODEL_IR_VERSION and entry.kind == VARINT:
                is_versioned = True
            if entry.kind == BYTES and entry.number == proto.MODEL_GRAPH:
                parts = list(self._top_entries(entry))
                has_long_names = any(
                    part.number in GRAPH_ENDS and part.end - part.start > LONGEST for part in parts
                )
                put(out, entry.number, self._graph(parts, "", is_main=True))
            elif entry.kind == BYTES and entry.number == proto.MODEL_FUNCTIONS:
                has_functions = True
                put(out, entry.number, self._function(entry))
            else:
                copy(out, data, entry)
        if self._keys is None or not is_versioned:
            raise WireError("it holds no graph" if self._keys is None else "it has no IR version")
        return Skeleton(
            data=bytes(out),
            keys=self._keys,
            tensors=tuple(self._tensors),
            locations=tuple(self._locations),
            has_functions=has_functions,
            has_long_names=has_long_names,
        )

    def _top_entries(self, at: Entry) -> Iterator[Entry]:
        """Yield the fields of the main graph."""
        since = at.start
        for entry in entries(self._data, at.start, at.end):
            yield entry
            if entry.end - since > WALKED:
                since = entry.end
                release(self._data)

    def _graph(
        self, parts: Sequence[Entry], prefix: str, *, is_main: bool = False, depth: int = 0
    ) -> bytearray:
        """Return the graph without weights, its nodes named by their keys. `prefix`: prefix of the names of its
        tensors.
        """
        if depth > proto.MAX_DEPTH:
            raise WireError(f"graphs nested deeper than {proto.MAX_DEPTH}")
        data = self._data
        nodes = self._nodes(parts, proto.GRAPH_NODES)
        heads = [self._head(fields) for _, fields in nodes]
        keys = keys_of((head.name, head.operator) for head in heads)
        if is_main:
            self._keys = tuple(keys)
        rows = iter(zip(nodes, heads, keys, strict=True))
        out = bytearray()
        for entry in parts:
            if entry.kind != BYTES:
                copy(out, data, entry)
            elif entry.number == proto.GRAPH_NODES:
                (_, fields), head, key = next(rows)
                put(
                    out,
                    entry.number,
                    self._node(entry, fields, head, prefix, key, depth, is_named=True),
                )
            elif entry.number == proto.GRAPH_INITIALIZERS:
                put(out, entry.number, self._tensor(entry, prefix=prefix))
            elif entry.number == proto.GRAPH_SPARSE:
                put(out, entry.number, self._sparse(entry, prefix=prefix))
            else:
                copy(out, data, entry)
        return out

    def _function(self, at: Entry) -> bytearray:
        data = self._data
        parts = list(entries(data, at.start, at.end))
        names = {p.number: text(data, p, 200) for p in parts if p.kind == BYTES}
        prefix = f"{names.get(proto.FUNCTION_DOMAIN, '')}::{names.get(proto.FUNCTION_NAME, '')}/"
        nodes = self._nodes(parts, proto.FUNCTION_NODES)
        heads = [self._head(fields) for _, fields in nodes]
        keys = keys_of((head.name, head.operator) for head in heads)
        rows = iter(zip(nodes, heads, keys, strict=True))
        out = bytearray()
        for entry in parts:
            if entry.kind == BYTES and entry.number == proto.FUNCTION_NODES:
                (_, fields), head, key = next(rows)
                put(
                    out,
                    entry.number,
                    self._node(entry, fields, head, prefix, key, 1, is_named=False),
                )
            else:
                copy(out, data, entry)
        return out

    def _nodes(self, parts: Sequence[Entry], number: int) -> list[tuple[Entry, list[Entry]]]:
        return [
            (part, list(entries(self._data, part.start, part.end)))
            for part in parts
            if part.number == number and part.kind == BYTES
        ]

    def _head(self, fields: Sequence[Entry]) -> _Head:
        name = operator = output = ""
        for entry in fields:
            if entry.kind != BYTES:
                continue
            if entry.number == NODE_NAME:
                name = text(self._data, entry, entry.end - entry.start)
            elif entry.number == proto.NODE_OP:
                operator = text(self._data, entry, 200)
            elif entry.number == NODE_OUTPUT and not output:
                output = text(self._data, entry, entry.end - entry.start)
        return _Head(name, operator, output)

    def _node(
        self,
        at: Entry,
        fields: Sequence[Entry],
        head: _Head,
        prefix: str,
        key: str,
        depth: int,
        *,
        is_named: bool,
    ) -> bytearray | Buffer:
        is_renamed = is_named and key != head.name
        if not is_renamed and not any(_is_long_attribute(entry) for entry in fields):
            return self._data[at.start : at.end]
        out = bytearray()
        constant = f"{prefix}{head.output}" if head.operator == "Constant" else ""
        for entry in fields:
            if is_renamed and entry.number == NODE_NAME:
                continue
            if _is_long_attribute(entry):
                put(out, entry.number, self._attribute(entry, f"{prefix}{key}", constant, depth))
            else:
                copy(out, self._data, entry)
        if is_renamed:
            put(out, NODE_NAME, key.encode())
        return out

    def _attribute(self, at: Entry, node: str, constant: str, depth: int) -> bytearray | Buffer:
        """Return the attribute without the content of long tensors. `node`: place and key of its node; `constant`: the
        name of the stored tensor that a Constant gives.
        """
        data = self._data
        parts = list(entries(data, at.start, at.end))
        graphs = [p for p in parts if p.kind == BYTES and p.number in _GRAPHS]
        numbers = {part.number for part in parts}
        if constant:
            for number in LISTS.keys() & numbers:
                self._list_values(at, parts, number, constant)
        if not graphs and not numbers & _TENSORS:
            return data[at.start : at.end]
        name = next((text(data, p) for p in parts if p.number == ATTRIBUTE_NAME), "")
        out = bytearray()
        for entry in parts:
            if entry.kind != BYTES:
                copy(out, data, entry)
            elif entry.number in (proto.ATTRIBUTE_TENSOR, proto.ATTRIBUTE_TENSORS):
                found = self._tensor(entry, name=constant, aside=f"{node}/{name}", with_digest=True)
                put(out, entry.number, found)
            elif entry.number in (ATTRIBUTE_SPARSE, ATTRIBUTE_SPARSES):
                own = constant or f"{node}/{name}"
                put(out, entry.number, self._sparse(entry, name=own, with_digest=True))
            elif entry.number in _GRAPHS:
                place = body_place(node, name, graphs.index(entry), len(graphs))
                inner = list(entries(data, entry.start, entry.end))
                put(out, entry.number, self._graph(inner, f"{place}/", depth=depth + 1))
            else:
                copy(out, data, entry)
        return out

    def _list_values(self, at: Entry, parts: Sequence[Entry], number: int, name: str) -> None:
        """List the plain values of a Constant: value_floats, value_ints or value_strings."""
        kind, dtype = LISTS[number]
        count = 0
        for part in parts:
            if part.number == number:
                is_packed = part.kind == BYTES and kind != "strings"
                count += num_values(self._data, part, kind) if is_packed else 1
        if count > 1:
            place = Place(start=at.start, end=at.end, kind=kind)
            self._list(name, Header(dtype=dtype, shape=(count,)), place, is_initializer=False)

    def _tensor(
        self,
        at: Entry,
        *,
        prefix: str = "",
        name: str = "",
        aside: str = "",
        with_digest: bool = False,
    ) -> bytearray:
        """Return the tensor without long content and without the location of its file.

        It is listed under `name`, an initializer under its own name after `prefix`. `with_digest`: it is the value of
        an attribute, whose text includes a digest of its content. For nodes other than Constant it is listed, as
        `aside`, only if that text does not contain it.
        """
        data = self._data
        parts = list(entries(data, at.start, at.end))
        header = header_of(data, parts)
        place = place_of(at, parts, header)
        if not with_digest:
            self._list(f"{prefix}{header.name}", header, place, is_initializer=True)
        elif name or header.location or at.end - at.start > KEPT:
            self._list(name or aside, header, place, is_initializer=False)
        return self._stripped(at, parts, header, with_digest=with_digest)

    def _stripped(
        self, at: Entry, parts: Sequence[Entry], header: Header, *, with_digest: bool
    ) -> bytearray:
        is_long = at.end - at.start > KEPT
        dropped = TENSOR_CONTENT | TENSOR_LOCATED if is_long else TENSOR_LOCATED
        out = bytearray()
        digest = hashlib.sha256()
        for entry in parts:
            if entry.number not in dropped:
                copy(out, self._data, entry)
            elif is_long and with_digest and entry.number in TENSOR_CONTENT:
                digest.update(content_of(self._data, entry))
        if header.location:
            self._locations[header.location] = None
            content = header.read_beside(self._path, KEPT)
            if content is not None:
                put(out, TENSOR_RAW, content)
        if with_digest and is_long and not header.location:
            put(out, TENSOR_DOC, f"{DIGEST}{digest.hexdigest()}".encode())
        return out

    def _sparse(
        self, at: Entry, *, prefix: str = "", name: str = "", with_digest: bool = False
    ) -> bytearray:
        """Return the same for a sparse tensor, whose values give it its name."""
        data = self._data
        out = bytearray()
        shape: tuple[int, ...] = ()
        headers: dict[int, Header] = {}
        for entry in entries(data, at.start, at.end):
            if entry.kind == BYTES and entry.number in (SPARSE_VALUES, SPARSE_INDICES):
                parts = list(entries(data, entry.start, entry.end))
                headers[entry.number] = header = header_of(data, parts)
                stripped = self._stripped(entry, parts, header, with_digest=with_digest)
                put(out, entry.number, stripped)
                continue
            copy(out, data, entry)
            if entry.number == SPARSE_DIMS:
                shape = (*shape, *whole_numbers(data, entry))
        values = headers.get(SPARSE_VALUES, Header())
        self._list(
            name or f"{prefix}{values.name}",
            Header(dtype=values.dtype, shape=shape),
            Place(start=at.start, end=at.end, kind="sparse"),
            is_initializer=not with_digest,
            num_bytes=sum(num_bytes_of(h.dtype, h.num_elements) for h in headers.values()),
        )
        return out

    def _list(
        self,
        name: str,
        header: Header,
        place: Place,
        *,
        is_initializer: bool,
        num_bytes: int | None = None,
    ) -> None:
        self._walked += place.end - place.start
        if self._walked > WALKED:
            self._walked = 0
            release(self._data)
        size = num_bytes_of(header.dtype, header.num_elements) if num_bytes is None else num_bytes
        self._tensors.append(
            Tensor(
                name=name,
                dtype=dtype_name(header.dtype),
                shape=header.shape,
                num_bytes=size,
                is_initializer=is_initializer,
                place=place,
            )
        )


_GRAPHS: Final = (proto.ATTRIBUTE_GRAPH, proto.ATTRIBUTE_GRAPHS)
_TENSORS: Final = frozenset(
    {proto.ATTRIBUTE_TENSOR, proto.ATTRIBUTE_TENSORS, ATTRIBUTE_SPARSE, ATTRIBUTE_SPARSES}
)


def _is_long_attribute(entry: Entry) -> bool:
    """Return whether the field of a node may hold a tensor or a graph."""
    is_attribute = entry.number == proto.NODE_ATTRIBUTES and entry.kind == BYTES
    return is_attribute and entry.end - entry.start > SHORT


def body_place(node: str, attribute: str, number: int, count: int) -> str:
    """Return the prefix of names in the graph `number` of `count` in an attribute of a node."""
    return f"{node}/{attribute}{number if count > 1 else ''}"
