"""Open axes: what their expressions are for given sizes, and that nothing in them is run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.onnx_graph.axes import default_sizes, extent, parse_sizes

SIZES = {"batch": 2, "sequence": 128, "samples": 16000}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("batch", 2),
        ("2*batch", 4),
        ("sequence*batch", 256),
        ("sequence + 1", 129),
        ("Min(160, sequence)", 128),
        ("Max(160, sequence)", 160),
        ("Mod(sequence, 5)", 3),
        ("floor(sequence/3)", 42),
        ("((((((((samples//80)) - 3)//2)) - 1)//2)) + 1", 49),
    ],
)
def test_an_expression_of_the_exporter_is_computed(expression, value):
    assert extent(expression, SIZES) == value


@pytest.mark.parametrize(
    "expression",
    [
        "u3",
        "Min(50, u2)",
        "?",
        "",
        "batch.real",
        "__import__('os').system('true')",
        "batch if 1 else 2",
        "(lambda: 1)()",
        "9**9**9**9",
        "batch/3",
        "0 - batch",
        "1//0",
        "[1][0]",
        "True",
        "min(1, key=2)",
        "(" * 5000,
        "batch+" * 5000 + "1",
    ],
)
def test_what_has_no_size_or_is_no_arithmetic_has_no_extent(expression):
    assert extent(expression, SIZES) is None


def test_a_name_that_is_no_identifier_is_found_as_it_is():
    assert extent("batch size", {"batch size": 3}) == 3


@given(st.text(max_size=60))
def test_any_text_gives_a_whole_number_or_nothing(text):
    found = extent(text, SIZES)
    assert found is None or (isinstance(found, int) and found >= 0)


names = st.sampled_from(sorted(SIZES))
leaves = st.one_of(names, st.integers(1, 50).map(str))
expressions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+*-"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(inner, st.integers(1, 9)).map(lambda t: f"({t[0]}//{t[1]})"),
        st.tuples(st.sampled_from(["Min", "Max"]), inner, inner).map(
            lambda t: f"{t[0]}({t[1]}, {t[2]})"
        ),
    ),
    max_leaves=8,
)


@given(expressions)
def test_arithmetic_agrees_with_python(expression):
    expected = eval(expression, {"Min": min, "Max": max}, dict(SIZES))
    fits = 0 <= expected < 2**63
    assert extent(expression, SIZES) == (expected if fits else None)


def test_only_what_is_called_like_a_batch_is_one_without_being_asked():
    names = ["batch", "N", "batch_size", "sequence", "bark", "u0"]
    assert default_sizes(names) == {"batch": 1, "N": 1, "batch_size": 1}


def test_sizes_are_parsed_and_a_wrong_one_is_named():
    assert parse_sizes("batch=8, sequence = 128") == {"batch": 8, "sequence": 128}
    for wrong in ("batch", "=3", "batch=-1", "batch=x", "batch=1.5"):
        with pytest.raises(ValueError, match="expected NAME=SIZE"):
            parse_sizes(wrong)
