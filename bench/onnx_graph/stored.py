"""Storage of tensors in files: the location of their bytes, the formats, and numpy arrays of them."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import prod
from pathlib import Path
from typing import Any, Final

from bench.onnx_graph.record import Place
from diagnostics.model import onnx_file as proto
from diagnostics.model.wire import (
    BYTES,
    FIXED32,
    FIXED64,
    VARINT,
    Buffer,
    Entry,
    entries,
    text,
    varint,
)

# Field numbers of TensorProto besides those that the doctor knows.
TENSOR_DIMS, TENSOR_DTYPE, TENSOR_RAW = 1, 2, 9
TYPED: Final = {4: "f4", 5: "i4", 7: "i8", 10: "f8", 11: "u8"}
"""float_data, int32_data, int64_data, double_data, uint64_data -> storage type of an element."""
FIXED: Final = frozenset({4, 10})
"""Fields whose packed content is the elements' own bytes."""
TENSOR_STRINGS: Final = 6
TENSOR_CONTENT: Final = frozenset({TENSOR_STRINGS, TENSOR_RAW, *TYPED})
STRING, COMPLEX64, COMPLEX128 = 8, 14, 15
PACKED_BITS: Final = {21: 4, 22: 4, 23: 4, 25: 2, 26: 2, 27: 6, 28: 6}
"""uint4, int4, float4e2m1, uint2, int2, float6e2m3, float6e3m2 -> bits of an element; several share a byte, the first
in its low bits."""
BLOCK: Final = 1 << 20
"""Bytes read at once."""


Opened = Callable[[Path], int]
"""Returns the open descriptor of a file."""


class BadTensor(ValueError):
    """Error raised if a tensor's bytes are missing, or do not fit its shape and type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Name, type, shape and location of a TensorProto."""

    name: str = ""
    dtype: int = 0
    """Number of TensorProto.DataType."""
    shape: tuple[int, ...] = ()
    location: str = ""
    """External file that has the bytes; empty: the message has them."""
    offset: int = 0
    length: int | None = None
    """Bytes in that file; None: as many as the shape needs."""

    @property
    def num_elements(self) -> int:
        """Product of the extents."""
        return prod(self.shape)

    def read_beside(self, model: Path, limit: int) -> bytes | None:
        """Return the content from the external file; None if it has more than `limit` bytes or cannot be read."""
        size = num_bytes_of(self.dtype, self.num_elements)
        if size > limit:
            return None
        try:
            with file_beside(model, self.location).open("rb") as file:
                file.seek(self.offset)
                content = file.read(size)
        except (OSError, ValueError):
            return None
        return content if len(content) == size else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Content of a tensor in one form, whichever the file uses: its elements' bytes, little-endian, packed."""

    dtype: int
    shape: tuple[int, ...]
    num_bytes: int
    descriptor: int | None = None
    """Open file that has the bytes."""
    offset: int = 0
    """Offset of the bytes in it."""
    data: bytes = b""
    """The bytes if there is no file."""

    def read(self, start: int, stop: int) -> bytes:
        """Return these bytes of the content. Raises BadTensor if the file has fewer."""
        if self.descriptor is None:
            return self.data if start == 0 and stop == len(self.data) else self.data[start:stop]
        found = _read_at(self.descriptor, self.offset + start, stop - start)
        if len(found) != stop - start:
            raise BadTensor(f"its file ends {stop - start - len(found):,} bytes too early")
        return found

    def blocks(self) -> Iterator[bytes]:
        """Yield the content, BLOCK bytes at a time."""
        for start in range(0, self.num_bytes, BLOCK):
            yield self.read(start, min(start + BLOCK, self.num_bytes))

    def array(self, low: int = 0, high: int | None = None) -> Any:
        """Return the elements as a numpy array; with `low` and `high` these rows along the first axis.

        Integers of four and two bits become int8 and uint8, floats of four and six bits float32, text objects.
        """
        if self.dtype == STRING:
            found = self._strings().reshape(self.shape)
            return found[low:high] if self.shape else found
        shape = self.shape
        start, num_elements = 0, prod(shape)
        if shape and (low or high is not None):
            row = prod(shape[1:])
            stop = shape[0] if high is None else min(high, shape[0])
            shape = (stop - low, *shape[1:])
            start, num_elements = low * row, (stop - low) * row
        return self._numbers(start, start + num_elements).reshape(shape)

    def elements(self, low: int, high: int) -> Any:
        """Return the elements `low` to `high` in storage order, as a flat array of the types of `array`."""
        if self.dtype == STRING:
            return self._strings()[low:high]
        return self._numbers(low, min(high, prod(self.shape)))

    def in_memory(self) -> Stored:
        """Return the same with its bytes read."""
        content = self.read(0, self.num_bytes)
        return Stored(dtype=self.dtype, shape=self.shape, num_bytes=self.num_bytes, data=content)

    def _numbers(self, low: int, high: int) -> Any:
        import numpy as np

        bits = bits_of(self.dtype)
        raw = self.read(low * bits // 8, (high * bits + 7) // 8)
        if bits < 8:
            return _unpacked(raw, self.dtype, high - low, low * bits % 8)
        return np.frombuffer(raw, numpy_dtype(self.dtype))

    def _strings(self) -> Any:
        import numpy as np

        return np.array(list(_texts(self.data)), dtype=object)


def _read_at(descriptor: int, start: int, size: int) -> bytes:
    """Return these bytes of an open file, or as many of them as it has."""
    found = b""
    while len(found) < size:  # a read may return less than requested
        if hasattr(os, "pread"):
            part = os.pread(descriptor, size - len(found), start + len(found))
        else:  # Windows
            os.lseek(descriptor, start + len(found), os.SEEK_SET)
            part = os.read(descriptor, size - len(found))
        if not part:
            break
        found = part if not found else found + part
    return found


def file_beside(model: Path, location: str) -> Path:
    """Return the external file of weights that a model names; raise BadTensor if it is outside of the model's
    folder.
    """
    folder = model.parent.resolve()
    target = model.parent / location
    if not location or "\0" in location or not target.resolve().is_relative_to(folder):
        raise BadTensor(f"its file {location[:80]!r} lies outside the model's folder")
    return target


@cache
def numpy_dtype(dtype: int) -> Any:
    """Return the numpy type; raise BadTensor for a number that onnx does not know."""
    import onnx

    try:
        return onnx.helper.tensor_dtype_to_np_dtype(dtype)
    except (KeyError, ValueError, TypeError) as error:
        raise BadTensor(f"its type {dtype} is not known") from error


def bits_of(dtype: int) -> int:
    """Return bits of one element; 0 for text. Raises BadTensor for an unknown type."""
    if dtype in PACKED_BITS:
        return PACKED_BITS[dtype]
    return 0 if dtype == STRING else 8 * int(numpy_dtype(dtype).itemsize)


def num_bytes_of(dtype: int, num_elements: int) -> int:
    """Return bytes of that many elements; 0 for text and unknown types."""
    try:
        return (num_elements * bits_of(dtype) + 7) // 8
    except BadTensor:
        return 0


def header_of(data: Buffer, parts: Sequence[Entry]) -> Header:
    """Return the header from the fields of a TensorProto."""
    name, dtype = "", 0
    shape: list[int] = []
    pairs: dict[str, str] = {}
    is_external = False
    for entry in parts:
        if entry.number == TENSOR_DIMS:
            shape += whole_numbers(data, entry)
        elif entry.number == TENSOR_DTYPE and entry.kind == VARINT:
            dtype = entry.value
        elif entry.number == proto.TENSOR_LOCATION and entry.kind == VARINT:
            is_external = entry.value == proto.EXTERNAL
        elif entry.kind != BYTES:
            continue
        elif entry.number == proto.TENSOR_NAME:
            name = text(data, entry, entry.end - entry.start)
        elif entry.number == proto.TENSOR_EXTERNAL:
            both = {e.number: text(data, e) for e in entries(data, entry.start, entry.end)}
            pairs[both.get(1, "")] = both.get(2, "")
    found = Header(name=name, dtype=dtype, shape=tuple(shape))
    if not is_external:
        return found
    return replace(
        found,
        location=pairs.get("location", ""),
        offset=_number(pairs.get("offset")) or 0,
        length=_number(pairs.get("length")),
    )


def place_of(at: Entry, parts: Sequence[Entry], header: Header) -> Place:
    """Return the place of a TensorProto with these fields, with its content's if that can be read as it is."""
    piece = None
    if header.dtype != STRING and not header.location:
        piece = _own_bytes([part for part in parts if part.number in TENSOR_CONTENT])
    size = num_bytes_of(header.dtype, header.num_elements)  # 0 for an unknown type
    if piece is None or not size or piece.end - piece.start != size:
        return Place(start=at.start, end=at.end)
    return Place(start=at.start, end=at.end, content=piece.start, dtype=header.dtype)


def _own_bytes(content: Sequence[Entry]) -> Entry | None:
    """Return the field that has all elements as they are in memory; None if there is no such field."""
    if len(content) != 1 or content[0].kind != BYTES:
        return None
    piece = content[0]
    return piece if piece.number == TENSOR_RAW or piece.number in FIXED else None


def stored_tensor(data: Buffer, place: Place, path: Path, opened: Opened) -> Stored:
    """Return the tensor whose message is at `place` of the mapped file `path`. Raises BadTensor, OSError.

    `opened`: returns the descriptor of a file.
    """
    if place.kind in _LISTS:
        return _list_content(data, place)
    parts = list(entries(data, place.start, place.end))
    header = header_of(data, parts)
    if header.location:
        return _external(header, path, opened)
    content = [part for part in parts if part.number in TENSOR_CONTENT]
    if header.dtype == STRING:
        found = _joined(bytes(data[p.start : p.end]) for p in content)
        return Stored(dtype=STRING, shape=header.shape, num_bytes=len(found), data=found)
    expected = num_bytes_of(header.dtype, header.num_elements)
    numpy_dtype(header.dtype)
    descriptor, offset, found = None, 0, b""
    if (piece := _own_bytes(content)) is not None:
        size = piece.end - piece.start
        descriptor, offset = opened(path), piece.start
    else:
        found = _typed_content(data, place, header.dtype)
        size = len(found)
    if size != expected:
        raise BadTensor(f"it has {size:,} bytes, expected {expected:,} for its shape and type")
    return Stored(
        dtype=header.dtype,
        shape=header.shape,
        num_bytes=expected,
        descriptor=descriptor,
        offset=offset,
        data=found,
    )


def sparse_parts(data: Buffer, place: Place, path: Path, opened: Opened) -> tuple[Stored, Stored]:
    """Return (values, indices) of the SparseTensorProto there. Raises BadTensor, OSError."""
    found = {
        e.number: stored_tensor(data, Place(start=e.start, end=e.end), path, opened)
        for e in entries(data, place.start, place.end)
        if e.kind == BYTES and e.number in (1, 2)
    }
    if set(found) != {1, 2}:
        raise BadTensor("it has no values or no indices")
    return found[1], found[2]


def num_values(data: Buffer, part: Entry, kind: str) -> int:
    """Return the number of elements of a packed field of floats or ints."""
    if kind == "floats":
        return (part.end - part.start) // 4
    return sum(data[at] < 0x80 for at in range(part.start, part.end))


def whole_numbers(data: Buffer, entry: Entry) -> list[int]:
    """Return the elements of a field of integers, packed or not, with their sign."""
    if entry.kind == VARINT:
        return [_signed(entry.value)]
    found, at = [], entry.start
    while at < entry.end:
        value, at = varint(data, at, entry.end)
        found.append(_signed(value))
    return found


_LISTS: Final = {"floats": (7, 1, "f4"), "ints": (8, 7, "i8"), "strings": (9, STRING, "")}
"""Kind of a place -> (field of AttributeProto, type of its elements, numpy's name of it)."""


def _list_content(data: Buffer, place: Place) -> Stored:
    """Return the plain values of a Constant."""
    number, dtype, _ = _LISTS[place.kind]
    fields = [e for e in entries(data, place.start, place.end) if e.number == number]
    if place.kind == "strings":
        content = _joined(bytes(data[e.start : e.end]) for e in fields)
        return Stored(dtype=dtype, shape=(len(fields),), num_bytes=len(content), data=content)
    content = b"".join(_number_bytes(data, e, "f4" if dtype == 1 else "i8") for e in fields)
    size = len(content) // (4 if dtype == 1 else 8)
    return Stored(dtype=dtype, shape=(size,), num_bytes=len(content), data=content)


def _external(header: Header, path: Path, opened: Opened) -> Stored:
    file = file_beside(path, header.location)
    expected = num_bytes_of(header.dtype, header.num_elements)
    numpy_dtype(header.dtype)
    size = file.stat().st_size - header.offset
    if header.length is not None and header.length != expected:
        raise BadTensor(
            f"it has {header.length:,} bytes in {header.location}, expected {expected:,}"
        )
    if size < expected:
        raise BadTensor(f"{header.location} ends {expected - size:,} bytes too early")
    return Stored(
        dtype=header.dtype,
        shape=header.shape,
        num_bytes=expected,
        descriptor=opened(file),
        offset=header.offset,
    )


def _typed_content(data: Buffer, place: Place, dtype: int) -> bytes:
    """Return the elements' own bytes from the numeric fields, which store small types in larger ones."""
    import numpy as np

    fields = [e for e in entries(data, place.start, place.end) if e.number in TENSOR_CONTENT]
    raw = [e for e in fields if e.number == TENSOR_RAW]
    if raw:
        return b"".join(bytes(data[e.start : e.end]) for e in raw)
    wide = b"".join(_number_bytes(data, e, TYPED[e.number]) for e in fields if e.number in TYPED)
    if not wide:
        return b""
    numbers = np.frombuffer(wide, TYPED[fields[0].number])
    if dtype in (1, 7, 11, 13, COMPLEX64, COMPLEX128):  # stored unchanged
        return wide
    if PACKED_BITS.get(dtype) == 6:  # one element per number, not packed yet
        flags = np.unpackbits(numbers.astype(np.uint8)[:, None], axis=1, bitorder="little")
        return np.packbits(flags[:, :6].reshape(-1), bitorder="little").tobytes()
    size = 1 if dtype in PACKED_BITS else int(numpy_dtype(dtype).itemsize)
    return numbers.astype(f"u{size}", casting="unsafe").tobytes()


def _number_bytes(data: Buffer, entry: Entry, kind: str) -> bytes:
    """Return one field of numbers, packed or not, as bytes of numpy's type `kind`."""
    if kind in ("f4", "f8"):
        if entry.kind == BYTES:
            return bytes(data[entry.start : entry.end])
        width = {FIXED32: 4, FIXED64: 8}[entry.kind]
        return bytes(data[entry.end - width : entry.end])
    code = {"i4": "<q", "i8": "<q", "u8": "<Q"}[kind]
    mask = (1 << 64) - 1
    numbers = [n & mask if kind == "u8" else n for n in whole_numbers(data, entry)]
    wide = b"".join(struct.pack(code, n) for n in numbers)
    return b"".join(wide[i : i + 4] for i in range(0, len(wide), 8)) if kind == "i4" else wide


def _unpacked(raw: bytes, dtype: int, num_elements: int, skip: int) -> Any:
    """Return the elements of a packed type, without the first `skip` bits of the first byte."""
    import numpy as np

    bits = PACKED_BITS[dtype]
    packed = np.frombuffer(raw, np.uint8)
    if 8 % bits == 0:
        shifts = np.arange(0, 8, bits, dtype=np.uint8)
        codes = packed[:, None] >> shifts & np.uint8((1 << bits) - 1)
        codes = codes.reshape(-1)[skip // bits : skip // bits + num_elements]
    else:
        flags = np.unpackbits(packed, bitorder="little")[skip : skip + num_elements * bits]
        weights = 1 << np.arange(bits, dtype=np.uint8)
        codes = (flags.reshape(-1, bits) * weights).sum(axis=1, dtype=np.uint8)
    name = numpy_dtype(dtype).name
    if name.startswith("int"):
        sign = 1 << bits - 1
        return (codes ^ np.uint8(sign)).astype(np.int8) - np.int8(sign)
    return codes.view(numpy_dtype(dtype)).astype(np.float32) if "float" in name else codes


def _joined(texts: Iterator[bytes]) -> bytes:
    """Return concatenated texts, each preceded by its length."""
    return b"".join(struct.pack("<q", len(one)) + one for one in texts)


def _texts(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        (size,) = struct.unpack_from("<q", data, at)
        yield data[at + 8 : at + 8 + size]
        at += 8 + size


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _number(value: str | None) -> int | None:
    return int(value) if value and value.isascii() and value.isdigit() else None
