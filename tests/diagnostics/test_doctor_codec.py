"""The codec gives back what it was given, and names the field of what it cannot read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import pytest

from diagnostics.codec import decode, decode_as, encode


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    ratio: float
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    """Every kind of field that a record may have."""

    colour: Colour
    mode: Literal["a", "b"]
    inner: Inner
    path: Path
    maybe: Inner | str | None
    number: float | int
    rows: tuple[Inner, ...]
    pair: tuple[str, int]
    words: Sequence[str]
    by_index: dict[int, Inner]
    anything: Mapping[str, Any]
    names: frozenset[str]

    def __post_init__(self) -> None:
        if self.pair[1] < 0:
            raise ValueError("pair: expected a positive number")


WHOLE = Outer(
    colour=Colour.RED,
    mode="b",
    inner=Inner(ratio=2.0, size=3),
    path=Path("a/b"),
    maybe=Inner(ratio=1.0),
    number=3,
    rows=(Inner(ratio=0.5),),
    pair=("x", 1),
    words=("y", "z"),
    by_index={4: Inner(ratio=0.25)},
    anything={"k": [1, None, {"x": 2.5}]},
    names=frozenset({"n", "m"}),
)


def test_a_record_of_every_kind_of_field_comes_back_as_it_was() -> None:
    found = decode_as(Outer, json.loads(json.dumps(encode(WHOLE))))
    assert found == WHOLE
    assert type(found.number) is int


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"colour": "blue"}, "Outer.colour: 'blue' is not a valid Colour"),
        ({"mode": "c"}, "Outer.mode: expected one of 'a', 'b', got 'c'"),
        ({"inner": {"ratio": True}}, "Outer.inner: Inner.ratio: expected float, got bool"),
        ({"inner": {"ratio": 10**400}}, "Outer.inner: Inner.ratio: int too large"),
        ({"path": 1}, "Outer.path: expected a path, got int"),
        ({"maybe": 5}, "Outer.maybe: expected an object for Inner, got int; expected str"),
        ({"rows": [{}]}, r"Outer.rows: \[0\]: Inner.ratio is missing"),
        ({"pair": ["x"]}, "Outer.pair: expected 2 items, got 1"),
        ({"pair": ["x", -1]}, "Outer: pair: expected a positive number"),
        ({"by_index": {"four": {"ratio": 1}}}, r"Outer.by_index: \['four'\]: invalid literal"),
        ({"names": [["n"]]}, r"Outer.names: \[0\]: expected str, got list"),
    ],
)
def test_a_field_that_does_not_fit_is_named(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        decode(Outer, encode(WHOLE) | change)


def test_a_field_with_a_default_is_left_out_and_comes_back() -> None:
    inner = Inner(ratio=1.0)
    assert encode(inner, sparse=True) == {"ratio": 1.0}
    assert decode_as(Inner, encode(inner, sparse=True)) == inner
    assert encode(Inner(ratio=1.0, size=0), sparse=True) == {"ratio": 1.0, "size": 0}


def test_what_does_not_fit_can_be_left_out_and_is_named() -> None:
    problems: list[str] = []
    changed = encode(WHOLE) | {
        "rows": [{"ratio": 1.0}, {"ratio": "x"}, {"ratio": 2.0, "size": "many"}],
        "by_index": {"1": 5, "2": {"ratio": 1.0}},
    }
    with pytest.raises(ValueError, match="Outer.rows"):
        decode(Outer, changed, problems)
    relaxed = decode(tuple[Inner, ...], changed["rows"], problems)
    assert relaxed == (Inner(ratio=1.0), Inner(ratio=2.0))
    assert problems == [
        "[1]: Inner.ratio: expected float, got str",
        "[2]: Inner.size: expected int, got str",
    ]
