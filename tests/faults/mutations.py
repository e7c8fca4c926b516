"""Ways in which a file gets damaged: bytes cut, repeated, flipped; values of JSON replaced by others."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

from hypothesis import settings
from hypothesis import strategies as st

FACTOR = int(os.environ.get("FAULTS", "1"))
"""How many times as many examples as in CI."""
WHOLE = 10
"""The factor of the whole suite."""


def count(bounded: int, whole: int) -> int:
    """How many of something slow: a few in CI, `whole` in the whole suite, in between by its share."""
    return max(bounded, round(whole * min(1.0, FACTOR / WHOLE))) if FACTOR > 1 else bounded


def bounded(examples: int) -> settings:
    """As many examples as a reader can afford in CI, the same ones every time; more with FAULTS=N."""
    return settings(max_examples=examples * FACTOR, derandomize=True, deadline=None, database=None)


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(2**70),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(max_size=8),
    st.sampled_from(["\x00", "\x1b[2J", "<script>", "../../etc/passwd", "-1", "\ud800"]),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=4), st.integers(), max_size=2),
)


@st.composite
def damaged_bytes(draw: st.DrawFn, sources: Sequence[bytes]) -> bytes:
    """One of the sources with up to four cuts, repetitions, insertions and flipped bytes."""
    data = bytearray(draw(st.sampled_from(sources)))
    for _ in range(draw(st.integers(1, 4))):
        if not data:
            break
        at = draw(st.integers(0, len(data) - 1))
        length = draw(st.integers(1, 32))
        kind = draw(st.sampled_from(("cut", "end", "flip", "insert", "repeat")))
        if kind == "cut":
            del data[at : at + length]
        elif kind == "end":
            del data[at:]
        elif kind == "flip":
            data[at] = draw(st.integers(0, 255))
        elif kind == "insert":
            data[at:at] = draw(st.binary(max_size=16))
        else:
            data[at:at] = data[at : at + length] * draw(st.integers(1, 8))
    return bytes(data)


@st.composite
def damaged_json(draw: st.DrawFn, sources: Sequence[bytes]) -> bytes:
    """One of the JSON sources with up to three values replaced, removed or renamed, anywhere in it."""
    document = json.loads(draw(st.sampled_from(sources)))
    for _ in range(draw(st.integers(1, 3))):
        places = [*_places(document)]
        if not places:
            return json.dumps(draw(LEAVES)).encode()
        holder, key = draw(st.sampled_from(places))
        kind = draw(st.sampled_from(("replace", "remove", "rename")))
        if kind == "replace" or (kind == "rename" and isinstance(holder, list)):
            holder[key] = draw(LEAVES)
        elif kind == "remove":
            del holder[key]
        else:
            holder[draw(st.text(max_size=4))] = holder.pop(key)
    return json.dumps(document).encode()


def _places(value):
    if isinstance(value, dict):
        for key, item in value.items():
            yield value, key
            yield from _places(item)
    elif isinstance(value, list):
        for key, item in enumerate(value):
            yield value, key
            yield from _places(item)
