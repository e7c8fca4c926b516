"""Convert dataclasses to JSON-able data and back, so that a saved record can be read again."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import PurePath
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

_Record = TypeVar("_Record")
_SCALARS: Final = (str, int, float, bool)
_ANYTHING: Final = (Any, object)
_PLAIN: Final = frozenset((*_SCALARS, type(None)))
_Encoder = Callable[[Any, bool], Any]
"""Called with the value, and whether it is to be sparse."""
_Decoder = Callable[[Any, list[str] | None], Any]
"""Called with the data and the list that takes problems, or None where a problem raises."""


def encode(value: object, *, sparse: bool = False) -> Any:
    """Return the value with dataclasses as dicts, sequences and sets as lists, enums as their values.

    With `sparse` a field that has its default is left out where that is None, zero or empty: `decode` puts it back.
    """
    kind: Any = type(value)
    return value if kind in _PLAIN else _encoder(kind)(value, sparse)


# Encoders are made once per type, as decoders are.
@cache
def _encoder(kind: type) -> _Encoder:
    if is_dataclass(kind):
        return _dataclass_encoder(kind)
    if issubclass(kind, Enum):
        return lambda value, sparse: encode(value.value)
    if issubclass(kind, Mapping):
        return _encode_mapping
    if issubclass(kind, (list, tuple)):
        return _encode_sequence
    if issubclass(kind, (set, frozenset)):
        return lambda value, sparse: sorted((encode(item) for item in value), key=repr)
    return _encode_scalar


def _dataclass_encoder(kind: type) -> _Encoder:
    names = tuple(item.name for item in fields(kind))
    defaults = _empty_defaults(kind)

    def encoded(value: Any, sparse: bool) -> dict[str, Any]:
        found = {}
        for name in names:
            held = getattr(value, name)
            if sparse and _is_default(held, name, defaults):
                continue
            own: Any = type(held)
            found[name] = held if own in _PLAIN else _encoder(own)(held, sparse)
        return found

    return encoded


def _encode_mapping(value: Mapping[Any, Any], sparse: bool) -> dict[str, Any]:
    return {
        key if type(key) is str else str(encode(key)): encode(item, sparse=sparse)
        for key, item in value.items()
    }


def _encode_sequence(value: Sequence[Any], sparse: bool) -> list[Any]:
    if _PLAIN.issuperset(map(type, value)):  # samples
        return list(value)
    return [encode(item, sparse=sparse) for item in value]


def _encode_scalar(value: Any, sparse: bool) -> Any:
    if isinstance(value, type):
        return value
    return str(value) if isinstance(value, PurePath) else value


def decode_as(kind: type[_Record], data: object, problems: list[str] | None = None) -> _Record:
    """Return a record of the dataclass `kind` from `data`; see `decode`."""
    found = decode(kind, data, problems)
    assert isinstance(found, kind)
    return found


def decode(kind: Any, data: Any, problems: list[str] | None = None) -> Any:
    """Return an object of the type `kind` from the JSON data.

    Fields that the data lacks keep their default and unknown ones are dropped, so that files of
    older and newer versions can be read; a record in place of its data is kept as it is. Raises
    ValueError, and nothing else, with the path of the field that does not fit:
    `Environment.gpus: [0]: Gpu.index: expected int, got str`. With a list of `problems`, a field
    that does not fit but has a default, or an element of a sequence or mapping, is left out, and
    its path appended there.
    """
    return _decoder(kind)(data, problems)


@cache
def _empty_defaults(kind: type) -> dict[str, Any]:
    """Field -> default, of the fields whose default is None, zero or empty."""
    found: dict[str, Any] = {}
    for item in fields(kind):
        if item.default is not MISSING:
            found[item.name] = item.default
        elif item.default_factory is not MISSING:
            found[item.name] = item.default_factory()
    return {name: default for name, default in found.items() if not default}


def _is_default(value: Any, name: str, defaults: Mapping[str, Any]) -> bool:
    return name in defaults and type(value) is type(defaults[name]) and value == defaults[name]


# Decoders are made once per type: a run's records hold hundreds of thousands of numbers.
@cache
def _decoder(kind: Any) -> _Decoder:
    origin, members = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _union_decoder(members)
    if origin is Literal:
        return _literal_decoder(members)
    if origin is tuple and not (len(members) == 2 and members[1] is Ellipsis):
        return _pair_decoder(members)
    if origin in (tuple, list, set, frozenset, Sequence):
        return _sequence_decoder(tuple if origin is Sequence else origin, members[0])
    if origin in (dict, Mapping):
        return _mapping_decoder(*members)
    if isinstance(kind, type) and is_dataclass(kind):
        return _record_decoder(kind)
    return _scalar_decoder(kind)


def _union_decoder(members: tuple[Any, ...]) -> _Decoder:
    takes_none = type(None) in members
    others = [member for member in members if member is not type(None)]

    def decoded(data: Any, problems: list[str] | None) -> Any:
        if data is None and takes_none:
            return None
        if len(others) == 1:
            return _decoder(others[0])(data, problems)
        # An exact type goes first: in `float | int | str` the number 3 stays an int.
        exact = [member for member in others if member is type(data)]
        reasons = []
        for member in (*exact, *others):
            try:
                return _decoder(member)(data, None)
            except ValueError as error:
                reasons.append(str(error))
        raise ValueError("; ".join(dict.fromkeys(reasons)) or f"expected null, got {_name(data)}")

    return decoded


def _literal_decoder(members: tuple[Any, ...]) -> _Decoder:
    def decoded(data: Any, problems: list[str] | None) -> Any:
        if not any(type(item) is type(data) and item == data for item in members):
            raise ValueError(f"expected one of {', '.join(map(repr, members))}, got {data!r}")
        return data

    return decoded


def _sequence_decoder(origin: Any, member: Any) -> _Decoder:
    item_decoder = _decoder(member)

    def decoded(data: Any, problems: list[str] | None) -> Any:
        _must_be_list(data)
        if member in _SCALARS and (not data or {*map(type, data)} == {member}):
            return origin(data)
        found: list[Any] = []
        for index, item in enumerate(data):
            _append(found.append, item_decoder, item, f"[{index}]", problems)
        try:
            return origin(found)
        except TypeError as error:  # a set of lists
            raise ValueError(str(error)) from None

    return decoded


def _pair_decoder(members: tuple[Any, ...]) -> _Decoder:
    """Of a tuple whose items have a type each: it is whole, or it does not fit."""
    item_decoders = [_decoder(member) for member in members]

    def decoded(data: Any, problems: list[str] | None) -> Any:
        _must_be_list(data)
        if len(item_decoders) != len(data):
            raise ValueError(f"expected {len(item_decoders)} items, got {len(data)}")
        found: list[Any] = []
        for index, (item_decoder, item) in enumerate(zip(item_decoders, data, strict=True)):
            _append(found.append, item_decoder, item, f"[{index}]", None)
        return tuple(found)

    return decoded


def _mapping_decoder(key_kind: Any, member: Any) -> _Decoder:
    item_decoder, unchanged = _decoder(member), _unchanged(member)

    def decoded(data: Any, problems: list[str] | None) -> Any:
        if not isinstance(data, dict):
            raise ValueError(f"expected an object, got {_name(data)}")
        if key_kind is str and (
            member in _ANYTHING or unchanged.issuperset(map(type, data.values()))
        ):
            return dict(data)
        found: dict[Any, Any] = {}

        def pair(item: tuple[Any, Any], inner: list[str] | None) -> tuple[Any, Any]:
            return _decode_key(key_kind, item[0]), item_decoder(item[1], inner)

        for key, item in data.items():
            _append(lambda entry: found.update([entry]), pair, (key, item), f"[{key!r}]", problems)
        return found

    return decoded


def _append(
    append: Callable[[Any], Any],
    item_decoder: _Decoder,
    item: Any,
    place: str,
    problems: list[str] | None,
) -> None:
    """Decode one element; where it does not fit it is left out, or raises with its place."""
    inner: list[str] | None = None if problems is None else []
    try:
        append(item_decoder(item, inner))
    except ValueError as error:
        if problems is None:
            raise ValueError(f"{place}: {error}") from None
        problems.append(f"{place}: {error}")
    if problems is not None and inner:
        problems += [f"{place}: {text}" for text in inner]


def _decode_key(kind: Any, key: Any) -> Any:
    # JSON has only text keys.
    if kind in (int, float) and isinstance(key, str):
        return kind(key)
    return decode(kind, key)


def _record_decoder(kind: type) -> _Decoder:
    @cache  # made at the first use: a record may hold others of its own kind
    def field_decoders() -> list[tuple[str, _Decoder, bool, frozenset[type]]]:
        hints = get_type_hints(kind)
        return [
            (
                item.name,
                _decoder(hints[item.name]),
                item.default is MISSING and item.default_factory is MISSING,
                _unchanged(hints[item.name]),
            )
            for item in fields(kind)
            if item.init
        ]

    @cache
    def by_name() -> dict[str, tuple[_Decoder, frozenset[type]]]:
        return {name: (own, unchanged) for name, own, _, unchanged in field_decoders()}

    def decoded(data: Any, problems: list[str] | None) -> Any:
        if isinstance(data, kind):
            return data
        if not isinstance(data, dict):
            raise ValueError(f"expected an object for {kind.__name__}, got {_name(data)}")
        try:
            return whole(data)
        except (TypeError, ValueError):  # read again field by field, to name what does not fit
            return checked(data, problems)

    def whole(data: dict[str, Any]) -> Any:
        """Decode what fits entirely, as almost every record does: only the fields that the data has are looked at."""
        known = by_name()
        found: dict[str, Any] = {}
        for name, value in data.items():
            if (own := known.get(name)) is not None:
                found[name] = value if type(value) in own[1] else own[0](value, None)
        return kind(**found)

    def checked(data: dict[str, Any], problems: list[str] | None) -> Any:
        found: dict[str, Any] = {}
        for name, field_decoder, is_required, unchanged in field_decoders():
            value = data.get(name, MISSING)
            if value is MISSING:
                if is_required:
                    raise ValueError(f"{kind.__name__}.{name} is missing")
                continue
            if type(value) in unchanged:
                found[name] = value
                continue
            inner: list[str] | None = None if problems is None or is_required else []
            try:
                found[name] = field_decoder(value, inner)
            except ValueError as error:
                if inner is None:
                    raise ValueError(f"{kind.__name__}.{name}: {error}") from None
                inner.append(str(error))
            if problems is not None and inner:
                problems += [f"{kind.__name__}.{name}: {text}" for text in inner]
        try:
            return kind(**found)
        except (TypeError, ValueError) as error:  # the record's own conditions
            raise ValueError(f"{kind.__name__}: {error}") from None

    return decoded


def _unchanged(kind: Any) -> frozenset[type]:
    """Return the types of JSON data that are already a value of this kind: most fields are texts and numbers."""
    members = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    return frozenset(member for member in members if member in (*_SCALARS, type(None)))


def _scalar_decoder(kind: Any) -> _Decoder:
    if kind in _ANYTHING:
        return lambda data, problems: data
    return lambda data, problems: _decode_scalar(kind, data)


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


def _must_be_list(data: Any) -> None:
    if not isinstance(data, (list, tuple)):
        raise ValueError(f"expected a list, got {_name(data)}")


def _name(data: object) -> str:
    return "null" if data is None else type(data).__name__
