"""Walks over protobuf's wire format and skips what it is not asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

VARINT, FIXED64, BYTES, GROUP, END_GROUP, FIXED32 = range(6)

TWO_GIB = 2**31 - 1
"""Most bytes of a message."""

Buffer = bytes | memoryview
"""What can be walked: bytes, or a view of a mapped file."""


class WireError(ValueError):
    """The bytes are no protobuf message, or they end too early."""


class Entry(NamedTuple):
    """One field of a message; for BYTES, where its content lies."""

    number: int
    kind: int
    value: int
    """The number itself for VARINT; 0 for other kinds."""
    start: int
    end: int
    """The content's place in the buffer, end excluded."""


def entries(data: Buffer, start: int = 0, end: int | None = None) -> Iterator[Entry]:
    """Yield the fields of the message in `data[start:end]`, without reading their content.

    Raises WireError where the bytes cannot be a message or a field goes over the end. Source of
    the format: https://protobuf.dev/programming-guides/encoding/.
    """
    stop = len(data) if end is None else end
    at = start
    made = tuple.__new__  # faster than Entry(...), and there are many
    while at < stop:
        tag = data[at]
        at += 1
        if tag >= 0x80:
            tag, at = varint(data, at - 1, stop)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise WireError(f"field number 0 at byte {at}")
        value, begin = 0, at
        if kind == VARINT:
            value, at = varint(data, at, stop)
        elif kind == FIXED64:
            at += 8
        elif kind == FIXED32:
            at += 4
        elif kind == BYTES:
            if at < stop and data[at] < 0x80:
                length, begin = data[at], at + 1
            else:
                length, begin = varint(data, at, stop)
            at = begin + length
        else:
            raise WireError(f"wire type {kind} at byte {at}")
        if at > stop:
            raise WireError(f"field {number} ends at byte {at}, the data at byte {stop}")
        yield made(Entry, (number, kind, value, begin, at))


def varint(data: Buffer, at: int, stop: int) -> tuple[int, int]:
    """Return a number of up to 64 bits and the position after it. Raises WireError at the end of data."""
    result = shift = 0
    while at < stop:
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
        if shift > 63:
            raise WireError(f"a number longer than 64 bits at byte {at}")
    raise WireError(f"the data end inside a number at byte {at}")


def text(data: Buffer, entry: Entry, limit: int = 4096) -> str:
    """Return the content of a BYTES field as text, shortened to `limit` bytes."""
    return bytes(data[entry.start : min(entry.end, entry.start + limit)]).decode("utf-8", "replace")
