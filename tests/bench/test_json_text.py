"""The writer of JSON documents: the text of the standard library's, only sooner."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.graph_diff.difference import Change
from bench.output.json_text import finite, to_json

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters())
DATA = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=30,
)


@given(DATA)
@example([0, False, 1, True, -0.0, 0.1, 1e300, None, [], {}, (), [[]], {"a": {}}])
@example(
    {
        1: 1,
        "1": 2,
        None: 3,
        Path("x"): Path("y"),
        "other": Change(what="é", name="", before="", after="b"),
    }
)
@example({"\ud800": '"\\\n\x00\x7f\u2028é', "": math.inf})
@settings(max_examples=60, deadline=None)
def test_the_text_is_that_of_the_standard_library(data):
    same = json.dumps(finite(data), indent=1, ensure_ascii=False, allow_nan=False)
    assert to_json(data) == f"{same}\n"


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_without_an_end_are_null(number):
    assert to_json({"a": [number, 1.5]}) == '{\n "a": [\n  null,\n  1.5\n ]\n}\n'
