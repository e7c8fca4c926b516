"""The verdict on work: what processes that count instructions say of two versions."""

import pytest

from bench.gate.verdict import Verdict
from bench.gate.work import Count, judge_work

LIMITS = {"limit": 0.01, "operator_limit": 0.05}


def count(whole, **operators):
    return Count(counts=(whole * 1.003, whole, whole), functions=operators, operators=operators)


def judged(base, head):
    return judge_work([count(v) for v in base], [count(v) for v in head], **LIMITS)


@pytest.mark.parametrize(
    ("base", "head", "verdict"),
    [
        ((1000.0, 1000.2), (1000.1, 1000.3), Verdict.NO_REGRESSION),
        ((1000.0, 1000.2), (1016.0, 1016.4), Verdict.REGRESSED),
        ((1000.0, 1000.2), (1009.7, 1010.1), Verdict.INCONCLUSIVE),
        ((1000.0, 1000.2), (984.0, 984.4), Verdict.IMPROVED),
        # One process of each arm took another path: the arms are not apart.
        ((1000.0, 1030.0), (1000.0, 1030.0), Verdict.INCONCLUSIVE),
    ],
)
def test_arms_are_apart_where_every_process_of_one_lies_beyond_every_one_of_the_other(
    base, head, verdict
):
    assert judged(base, head).verdict is verdict


def test_a_stretch_that_met_something_else_does_not_move_the_middle_of_its_process():
    spoilt = Count(counts=(1000.0, 1000.0, 1400.0))
    found = judge_work([spoilt, count(1000.0)], [spoilt, count(1000.0)], **LIMITS)
    assert found.verdict is Verdict.NO_REGRESSION
    assert found.growth == 0.0


def test_an_operator_that_grew_by_a_tenth_regresses_although_the_pass_grew_by_half_a_percent():
    base = [count(1000.0, relu=50.0, mm=900.0), count(1000.1, relu=50.0, mm=900.1)]
    head = [count(1005.1, relu=55.0, mm=900.0), count(1005.2, relu=55.1, mm=900.1)]
    found = judge_work(base, head, **LIMITS)
    assert (found.verdict, found.is_operators) == (Verdict.REGRESSED, True)
    assert [(o.name, round(o.share, 3)) for o in found.operators] == [("relu", 0.101)]


def test_an_operator_that_took_over_from_another_is_no_regression():
    base = [count(1000.0, addmm=400.0, linear=10.0)] * 2
    head = [count(1000.0, addmm=0.0, linear=410.0)] * 2
    assert judge_work(base, head, **LIMITS).verdict is Verdict.NO_REGRESSION


def test_where_the_instructions_went_is_named_largest_first_and_new_ones_have_no_share():
    base = [count(1000.0, mm=900.0, add=50.0, relu=50.0)] * 2
    head = [count(1100.0, mm=901.0, add=70.0, relu=50.0, gelu=79.0)] * 2
    found = judge_work(base, head, **LIMITS).functions
    assert [(g.name, g.share) for g in found] == [("gelu", None), ("add", pytest.approx(0.4))]
    assert found[0].share_of_pass == pytest.approx(0.079)
