"""Parity verdicts: what counts as agreement, and when agreement proves nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest

from diagnostics.codec import encode
from suite.results.export import FAILED, PASSED, VACUOUS
from suite.spec import Tolerance
from suite.stages.export.parity import VACUOUS_BELOW, broken, compare, spread_of, verdict_of
from suite.stages.export.rounding_errors import Answers, typical_errors

EXAMPLE = np.array([[1.0, -2.0, 3.0]], dtype=np.float32)
OTHER = np.array([[0.5, 2.0, -1.0]], dtype=np.float32)


LARGE = Tolerance(rtol=1e-3, atol=1.001e-4)
"""A tolerance of the record's own, so that it counts."""


def verdict(reference, actual, other, *, names=("logits",), tolerance=None, eager=None):
    tolerance = tolerance or Tolerance()
    answers = Answers(eager=eager or reference, judge=reference, judged_by="float64")
    typical = typical_errors([answers])
    spread = spread_of(reference, other, names=names, typical=typical, tolerance=tolerance)
    return compare(
        "example",
        None,
        answers,
        actual,
        spread,
        names=names,
        typical=typical,
        tolerance=tolerance,
    )


def test_outputs_within_tolerance_pass_with_their_largest_difference():
    row = verdict([EXAMPLE], [EXAMPLE + np.float32(5e-5)], [OTHER], tolerance=LARGE)
    assert row.verdict == PASSED
    assert row.max_abs == pytest.approx(5e-5, rel=0.01)
    assert row.max_rel == pytest.approx(5e-5 / 3, rel=0.01)


def test_one_element_outside_the_tolerance_fails_and_is_counted():
    wrong = EXAMPLE.copy()
    wrong[0, 1] += 0.1
    row = verdict([EXAMPLE], [wrong], [OTHER])
    assert row.verdict == FAILED
    assert "logits: strays by" in row.reason
    assert "times as far as eager float32" in row.reason


def test_the_tolerance_of_the_record_decides():
    wrong = EXAMPLE + np.float32(0.05)
    assert verdict([EXAMPLE], [wrong], [OTHER]).verdict == FAILED
    assert verdict([EXAMPLE], [wrong], [OTHER], tolerance=Tolerance(atol=0.06)).verdict == PASSED


def test_outputs_that_do_not_depend_on_the_input_are_vacuous():
    row = verdict([EXAMPLE], [EXAMPLE], [EXAMPLE.copy()])
    assert row.verdict == VACUOUS
    assert row.spread == 0.0
    assert "logits" in row.reason


@pytest.mark.parametrize(
    ("factor", "expected"), [(0.9 * VACUOUS_BELOW, VACUOUS), (1.1 * VACUOUS_BELOW, PASSED)]
)
def test_near_constant_outputs_are_vacuous_below_a_multiple_of_the_tolerance(factor, expected):
    tolerance = Tolerance(rtol=0.0, atol=1e-3)
    other = EXAMPLE + np.float32(factor * 1e-3)
    assert verdict([EXAMPLE], [EXAMPLE], [other], tolerance=tolerance).verdict == expected


def test_one_constant_output_among_others_is_vacuous_and_named():
    constant = np.ones((1, 2), dtype=np.float32)
    row = verdict(
        [EXAMPLE, constant], [EXAMPLE, constant], [OTHER, constant], names=("logits", "prior")
    )
    assert row.verdict == VACUOUS
    assert row.reason.startswith("prior:")


def test_of_detections_the_boxes_have_to_move_and_sorted_scores_need_not():
    scores, labels = np.ones(1, dtype=np.float32), np.ones(1, dtype=np.int64)
    names = ("boxes", "scores", "labels")
    moved = verdict(
        [EXAMPLE, scores, labels], [EXAMPLE, scores, labels], [OTHER, scores, labels], names=names
    )
    assert moved.verdict == PASSED
    still = verdict(
        [EXAMPLE, scores, labels], [EXAMPLE, scores, labels], [EXAMPLE, scores, labels], names=names
    )
    assert still.verdict == VACUOUS


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_eager_output_that_is_not_finite_is_vacuous(value):
    bad = np.array([[value, 1.0, 2.0]], dtype=np.float32)
    row = verdict([bad], [bad], [OTHER])
    assert row.verdict == VACUOUS
    assert "not finite" in row.reason


def test_a_graph_output_that_is_not_finite_fails():
    bad = np.array([[np.nan, -2.0, 3.0]], dtype=np.float32)
    assert verdict([EXAMPLE], [bad], [OTHER]).verdict == FAILED


def test_no_detections_are_vacuous():
    none = np.zeros((0, 4), dtype=np.float32)
    some = np.ones((3, 4), dtype=np.float32)
    assert verdict([none], [none], [some], names=("boxes",)).verdict == VACUOUS


def test_another_shape_fails_and_both_are_named():
    row = verdict([EXAMPLE], [EXAMPLE[:, :2]], [OTHER])
    assert row.verdict == FAILED
    assert "[1, 2]" in row.reason
    assert "[1, 3]" in row.reason


def test_a_missing_output_fails():
    assert (
        "1 outputs, eager 2"
        in verdict([EXAMPLE, EXAMPLE], [EXAMPLE], [OTHER, OTHER], names=("a", "b")).reason
    )


def test_integers_must_be_equal():
    labels = np.array([3, 1], dtype=np.int64)
    other = np.array([2, 1], dtype=np.int64)
    assert verdict([labels], [labels], [other], names=("labels",)).verdict == PASSED
    assert "1 of 2 integers" in verdict([labels], [other], [other], names=("labels",)).reason


def test_the_worst_shape_is_the_verdict_and_gives_the_reason():
    good = verdict([EXAMPLE], [EXAMPLE], [OTHER])
    vacuous = verdict([EXAMPLE], [EXAMPLE], [EXAMPLE])
    failed = broken("sequence", 7, "RuntimeError: no such step")
    assert verdict_of([good]).verdict == PASSED
    assert verdict_of([good, vacuous]).verdict == VACUOUS
    whole = verdict_of([vacuous, good, failed])
    assert whole.verdict == FAILED
    assert whole.reason == "sequence = 7: RuntimeError: no such step"


def test_the_facts_are_strict_json_even_where_numbers_are_not_finite():
    facts = encode(verdict_of([broken("batch", 2, "died")]))
    assert json.loads(json.dumps(facts, allow_nan=False))["shapes"][0]["max_abs"] is None


def test_an_output_may_have_a_tolerance_of_its_own():
    tolerance = Tolerance(atol=1e-4, outputs={"boxes": 1e-2})
    assert tolerance.of("boxes").atol == tolerance.of("boxes_1").atol == 1e-2
    assert tolerance.of("scores").atol == tolerance.of("scores_1").atol == 1e-4
