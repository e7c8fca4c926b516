"""What better means for every task."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.axes import TASKS
from suite.claims import Claim
from suite.quality import change_unit, drop, gain, shown, worst
from suite.results.step_result import StageResult

VALUES = st.floats(0.1, 1000, allow_nan=False)


def test_accuracy_rises_in_points_and_perplexity_falls_in_percent():
    assert gain("image_classification", 80.0, 82.5) == pytest.approx(2.5)
    assert gain("language_modeling", 200.0, 150.0) == pytest.approx(25.0)
    assert gain("speech_recognition", 40.0, 10.0) == pytest.approx(30.0)
    assert change_unit("image_classification") == "points"
    assert change_unit("language_modeling") == "%"


@given(st.sampled_from(sorted(TASKS)), VALUES, VALUES)
def test_a_drop_is_a_negative_gain_and_no_change_is_none(task, before, after):
    assert drop(task, before, after) == -gain(task, before, after)
    assert gain(task, before, before) == 0
    better = after > before if TASKS[task].metric_direction == "higher" else after < before
    assert (gain(task, before, after) > 0) == better


@pytest.mark.parametrize("task", sorted(TASKS))
def test_a_metric_that_is_no_number_is_infinitely_bad(task):
    assert gain(task, 1.0, math.nan) == -math.inf
    assert gain(task, worst(task), 1.0) == math.inf


def test_a_metric_is_shown_with_name_and_unit():
    assert shown("segmentation", 41.26) == "mIoU 41.3%"
    assert shown("language_modeling", 123.456) == "perplexity 123.5"


def test_only_claims_that_do_not_hold_are_broken():
    claims = [
        Claim(name="a", holds=True, evidence="1"),
        Claim(name="b", holds=False, evidence="2"),
    ]
    assert [c.name for c in StageResult(claims=tuple(claims)).broken_claims] == ["b"]
    assert StageResult().broken_claims == ()
