"""Dataclasses to JSON-able data and back, so that a saved machine can be replayed."""

from __future__ import annotations

import types
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints


def encode(value: object) -> Any:
    """The value with dataclasses as dicts and tuples as lists."""
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: encode(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, dict):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    return value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def decode(kind: Any, data: Any) -> Any:
    """An object of `kind` from `data`.

    Fields that the data lacks keep their default and unknown ones are dropped, so that files
    of older and newer versions can be read. Raises ValueError with the field that is wrong.
    """
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        if data is None:
            return None
        chosen = next(item for item in get_args(kind) if item is not type(None))
        return decode(chosen, data)
    if origin is tuple:
        parts = get_args(kind)
        if not isinstance(data, (list, tuple)):
            raise ValueError(f"expected a list, got {type(data).__name__}")
        if len(parts) == 2 and parts[1] is Ellipsis:
            return tuple(decode(parts[0], item) for item in data)
        return tuple(decode(part, item) for part, item in zip(parts, data, strict=True))
    if origin is dict:
        if not isinstance(data, dict):
            raise ValueError(f"expected an object, got {type(data).__name__}")
        return {str(key): decode(get_args(kind)[1], item) for key, item in data.items()}
    if isinstance(kind, type) and is_dataclass(kind):
        return _decode_record(kind, data)
    return _decode_scalar(kind, data)


def _decode_record(kind: type, data: Any) -> Any:
    if not isinstance(data, dict):
        raise ValueError(f"expected an object for {kind.__name__}, got {type(data).__name__}")
    found: dict[str, Any] = {}
    hints = _hints(kind)
    for item in fields(kind):
        if item.name not in data:
            if item.default is MISSING and item.default_factory is MISSING:
                raise ValueError(f"{kind.__name__}.{item.name} is missing")
            continue
        try:
            found[item.name] = decode(hints[item.name], data[item.name])
        except ValueError as error:
            raise ValueError(f"{kind.__name__}.{item.name}: {error}") from None
    return kind(**found)


def _decode_scalar(kind: Any, data: Any) -> Any:
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if isinstance(kind, type) and kind in (str, int, float, bool) and type(data) is not kind:
        raise ValueError(f"expected {kind.__name__}, got {type(data).__name__}")
    return data
