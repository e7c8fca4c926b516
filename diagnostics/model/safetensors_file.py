"""Checks the header of a safetensors file against its size."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

HEADER_LIMIT = 100_000_000
"""The largest header that the library accepts, in bytes."""

ITEM_BITS: dict[str, int] = {
    "BOOL": 8,
    "U8": 8,
    "I8": 8,
    "F8_E4M3": 8,
    "F8_E5M2": 8,
    "F8_E8M0": 8,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "I64": 64,
    "U64": 64,
    "F64": 64,
    "C64": 64,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The verdict on one file."""

    num_tensors: int = 0
    problem: str = ""
    """Empty when all is well."""
    is_short: bool = False
    """True when the file ends before the data that its header promises."""


def read(data: bytes | memoryview) -> Header:
    """Return the verdict from a file's bytes; reads only the header. Never raises.

    Format: https://github.com/huggingface/safetensors#format.
    """
    if len(data) < 8:
        return Header(
            problem="it is shorter than the 8 bytes of its header's length", is_short=True
        )
    length = int.from_bytes(data[:8], "little")
    if length > HEADER_LIMIT:
        return Header(problem=f"its header claims {length:,} bytes: not a safetensors file")
    if length > len(data) - 8:
        return Header(problem=f"its header of {length:,} bytes goes over its end", is_short=True)
    try:
        table = json.loads(bytes(data[8 : 8 + length]))
    except (ValueError, RecursionError) as error:
        return Header(problem=f"its header is no JSON ({error})")
    if not isinstance(table, dict):
        return Header(problem="its header is no JSON object")
    tensors = {name: entry for name, entry in table.items() if name != "__metadata__"}
    return _check(tensors, len(data) - 8 - length)


def _check(tensors: dict[str, object], have: int) -> Header:
    spans = []
    for name, entry in tensors.items():
        problem, span = _span(name, entry)
        if problem:
            return Header(num_tensors=len(tensors), problem=problem)
        spans.append((*span, name))
    position = 0
    for start, end, name in sorted(spans):
        if start != position:
            problem = f"the data of {name} begin at byte {start}, expected {position}"
            return Header(num_tensors=len(tensors), problem=problem)
        position = end
    if position > have:
        problem = f"it holds {have:,} bytes of data, its header promises {position:,}"
        return Header(num_tensors=len(tensors), problem=problem, is_short=True)
    if position < have:
        problem = f"it holds {have - position:,} bytes more than its header says"
        return Header(num_tensors=len(tensors), problem=problem)
    return Header(num_tensors=len(tensors))


def _span(name: str, entry: object) -> tuple[str, tuple[int, int]]:
    if not isinstance(entry, dict):
        return f"the entry of {name} is no object", (0, 0)
    offsets, shape = _counts(entry.get("data_offsets")), _counts(entry.get("shape"))
    if offsets is None or len(offsets) != 2 or shape is None:
        return f"the entry of {name} lacks its offsets or shape", (0, 0)
    bits = ITEM_BITS.get(str(entry.get("dtype")))
    want = None if bits is None else math.prod(shape) * bits // 8
    have = offsets[1] - offsets[0]
    if have < 0 or (want is not None and have != want):
        return f"{name} has {have} bytes, its shape needs {want}", (0, 0)
    return "", (offsets[0], offsets[1])


def _counts(value: object) -> list[int] | None:
    if not isinstance(value, list):
        return None
    return value if all(type(item) is int and item >= 0 for item in value) else None
