"""Convert dataclasses to JSON-able data and back, so that a saved record can be read again."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import PurePath
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

_Record = TypeVar("_Record")
_SCALARS = (str, int, float, bool)


def encode(value: object) -> Any:
    """Return the value with dataclasses as dicts, sequences and sets as lists, enums as their values."""
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: encode(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Enum):
        return encode(value.value)
    if isinstance(value, Mapping):
        return {str(encode(key)): encode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((encode(item) for item in value), key=repr)
    return str(value) if isinstance(value, PurePath) else value


def decode_as(kind: type[_Record], data: object) -> _Record:
    """Return a record of the dataclass `kind` from `data`; see `decode`."""
    found = decode(kind, data)
    assert isinstance(found, kind)
    return found


def decode(kind: Any, data: Any) -> Any:
    """Return an object of the type `kind` from the JSON data.

    Fields that the data lacks keep their default and unknown ones are dropped, so that files of
    older and newer versions can be read. Raises ValueError, and nothing else, with the path of the
    field that does not fit: `Environment.gpus: [0]: Gpu.index: expected int, got str`.
    """
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _decode_union(get_args(kind), data)
    if origin is Literal:
        if not any(type(item) is type(data) and item == data for item in get_args(kind)):
            raise ValueError(
                f"expected one of {', '.join(map(repr, get_args(kind)))}, got {data!r}"
            )
        return data
    if origin in (tuple, list, set, frozenset, Sequence):
        return _decode_sequence(origin, get_args(kind), data)
    if origin in (dict, Mapping):
        return _decode_mapping(get_args(kind), data)
    if isinstance(kind, type) and is_dataclass(kind):
        return _decode_record(kind, data)
    return _decode_scalar(kind, data)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _decode_union(members: tuple[Any, ...], data: Any) -> Any:
    if data is None and type(None) in members:
        return None
    # An exact type goes first: in `float | int | str` the number 3 stays an int.
    exact = [member for member in members if member is type(data)]
    reasons = []
    for member in (*exact, *members):
        if member is type(None):
            continue
        try:
            return decode(member, data)
        except ValueError as error:
            reasons.append(str(error))
    raise ValueError("; ".join(dict.fromkeys(reasons)) or f"expected null, got {_name(data)}")


def _decode_sequence(origin: Any, members: tuple[Any, ...], data: Any) -> Any:
    if not isinstance(data, (list, tuple)):
        raise ValueError(f"expected a list, got {_name(data)}")
    fixed = origin is tuple and not (len(members) == 2 and members[1] is Ellipsis)
    if fixed and len(members) != len(data):
        raise ValueError(f"expected {len(members)} items, got {len(data)}")
    kinds: Iterable[Any] = members if fixed else members[:1] * len(data)
    found = []
    for index, (member, item) in enumerate(zip(kinds, data, strict=True)):
        try:
            found.append(decode(member, item))
        except ValueError as error:
            raise ValueError(f"[{index}]: {error}") from None
    if origin is Sequence:
        return tuple(found)
    try:
        return origin(found)
    except TypeError as error:  # a set of lists
        raise ValueError(str(error)) from None


def _decode_mapping(members: tuple[Any, ...], data: Any) -> dict[Any, Any]:
    if not isinstance(data, dict):
        raise ValueError(f"expected an object, got {_name(data)}")
    found = {}
    for key, item in data.items():
        try:
            found[_decode_key(members[0], key)] = decode(members[1], item)
        except ValueError as error:
            raise ValueError(f"[{key!r}]: {error}") from None
    return found


def _decode_key(kind: Any, key: Any) -> Any:
    # JSON has only text keys.
    if kind in (int, float) and isinstance(key, str):
        return kind(key)
    return decode(kind, key)


def _decode_record(kind: type, data: Any) -> Any:
    if not isinstance(data, dict):
        raise ValueError(f"expected an object for {kind.__name__}, got {_name(data)}")
    found: dict[str, Any] = {}
    hints = _hints(kind)
    for item in fields(kind):
        if not item.init:
            continue
        if item.name not in data:
            if item.default is MISSING and item.default_factory is MISSING:
                raise ValueError(f"{kind.__name__}.{item.name} is missing")
            continue
        try:
            found[item.name] = decode(hints[item.name], data[item.name])
        except ValueError as error:
            raise ValueError(f"{kind.__name__}.{item.name}: {error}") from None
    try:
        return kind(**found)
    except (TypeError, ValueError) as error:  # the record's own conditions
        raise ValueError(f"{kind.__name__}: {error}") from None


def _decode_scalar(kind: Any, data: Any) -> Any:
    if kind is None or kind is type(None):
        if data is not None:
            raise ValueError(f"expected null, got {_name(data)}")
        return None
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        try:
            return float(data)
        except OverflowError as error:
            raise ValueError(str(error)) from None
    if not isinstance(kind, type) or kind is object:
        return data
    if issubclass(kind, Enum):
        return kind(data)
    if issubclass(kind, PurePath):
        if not isinstance(data, str):
            raise ValueError(f"expected a path, got {_name(data)}")
        return kind(data)
    if kind in (*_SCALARS, list, dict) and type(data) is not kind:
        raise ValueError(f"expected {kind.__name__}, got {_name(data)}")
    return data


def _name(data: object) -> str:
    return "null" if data is None else type(data).__name__
