"""JSON of reports: standard JSON, in which a non-finite number is null."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any


def to_json(data: Any) -> str:
    """Return the data as an indented JSON document with a final newline; see `finite`."""
    return written(finite(data))


def written(data: Any) -> str:
    """Return what `finite` has gone through as an indented JSON document with a final newline."""
    return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def finite(value: Any) -> Any:
    """Return the value with NaN and infinities as None, tuples as lists, records as their fields, and types unknown to
    JSON as text.
    """
    kind = type(value)
    if kind is str:  # half of a surrogate pair is not valid text
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if kind is int or kind is bool or value is None:
        return value
    if kind is float:
        return value if math.isfinite(value) else None
    if kind is tuple or kind is list:
        return [finite(item) for item in value]
    if is_dataclass(kind):
        return {name: finite(getattr(value, name)) for name in _fields(kind)}
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, str):  # a subclass
        return finite("".join(value))
    if isinstance(value, (tuple, list)):
        return [finite(item) for item in value]
    if isinstance(value, float):
        return finite(float(value))
    return int(value) if isinstance(value, int) else str(value)


@cache
def _fields(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))
