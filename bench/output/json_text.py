"""JSON of reports: standard JSON, in which a non-finite number is null."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from json.encoder import encode_basestring as quoted
from typing import Any, Final

_WORDS: Final = {None: "null", True: "true", False: "false"}


def to_json(data: Any) -> str:
    """Return the data as an indented JSON document with a final newline; see `finite`.

    The text is that of `json.dumps(finite(data), indent=1, ensure_ascii=False)`, which runs without its C code when it
    indents and takes four times as long.
    """
    return _text(data, "\n") + "\n"


def _text(value: Any, line: str) -> str:
    """Return the value as JSON. `line`: the newline and the indent before its closing bracket."""
    kind = type(value)
    if kind is str and value.isascii():
        return quoted(value)
    if kind is int:
        return int.__repr__(value)
    if kind is float:
        return float.__repr__(value) if math.isfinite(value) else "null"
    if value is None or kind is bool:
        return _WORDS[value]
    inner = f"{line} "
    if kind is tuple or kind is list:
        if not value:
            return "[]"
        return f"[{inner}{f',{inner}'.join([_text(item, inner) for item in value])}{line}]"
    if is_dataclass(kind):
        rows = [f'"{name}": {_text(getattr(value, name), inner)}' for name in _fields(kind)]
    elif kind is dict and all(type(key) is str for key in value):
        rows = [f"{quoted(key)}: {_text(item, inner)}" for key, item in value.items()]
    else:
        plain = finite(value)
        return quoted(plain) if type(plain) is str else _text(plain, line)
    return f"{{{inner}{f',{inner}'.join(rows)}{line}}}" if rows else "{}"


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
