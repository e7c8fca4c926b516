"""Writing of protobuf messages from fields of others."""

from __future__ import annotations

from typing import Final

from diagnostics.model.wire import BYTES, FIXED64, VARINT, Buffer, Entry

_SHORT: Final = tuple(bytes((value,)) for value in range(0x80))


def copy(out: bytearray, data: Buffer, entry: Entry) -> None:
    """Append a field unchanged."""
    if entry.kind == BYTES:
        put(out, entry.number, data[entry.start : entry.end])
        return
    out += _varint(entry.number << 3 | entry.kind)
    out += _varint(entry.value) if entry.kind == VARINT else _fixed(data, entry)


def content_of(data: Buffer, entry: Entry) -> Buffer:
    """Return the bytes of a field without its tag; of a number, its encoding."""
    if entry.kind == BYTES:
        return data[entry.start : entry.end]
    return _varint(entry.value) if entry.kind == VARINT else _fixed(data, entry)


def _fixed(data: Buffer, entry: Entry) -> Buffer:
    """Return the bytes of a fixed-width number; its entry has only their end."""
    return data[entry.end - (8 if entry.kind == FIXED64 else 4) : entry.end]


def put(out: bytearray, number: int, content: Buffer | bytearray) -> None:
    """Append a field of bytes."""
    out += _varint(number << 3 | BYTES)
    out += _varint(len(content))
    out += content


def _varint(value: int) -> bytes:
    if value < 0x80:
        return _SHORT[value]
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
