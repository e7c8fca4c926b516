"""Errors against the judge: what a right graph may do on any instruction set, and what a wrong one cannot hide."""

from __future__ import annotations

import numpy as np
import pytest

from suite.results.export import FAILED, PASSED, VACUOUS
from suite.spec import Tolerance
from suite.stages.export.parity import Spread, compare
from suite.stages.export.rounding_errors import Answers, typical_errors

MOVES = Spread(output="out", tolerances=1e6)


def judge(shape=(2, 6, 5, 5), seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def rounded(exact, error=1e-6, seed=1):
    """float32 numbers that are off by `error` of the scale, as a network's outputs are."""
    noise = np.random.default_rng(seed).normal(size=exact.shape)
    return (exact + error * np.sqrt(np.mean(exact**2)) * noise).astype(np.float32)


def verdict(exact, eager, graph, *, tolerance=None, judged_by="float64"):
    answers = Answers(eager=[eager], judge=[exact], judged_by=judged_by)
    return compare(
        "example",
        None,
        answers,
        [graph],
        MOVES,
        names=["out"],
        typical=typical_errors([answers]),
        tolerance=tolerance or Tolerance(),
    )


def test_a_graph_that_rounds_otherwise_than_eager_passes():
    exact = judge()
    row = verdict(exact, rounded(exact), rounded(exact, seed=2))
    assert row.verdict == PASSED
    assert row.judge == "float64"
    assert row.times_eager < 3
    assert row.eager_error == pytest.approx(1e-6, rel=0.2)


def test_elements_near_zero_decide_nothing():
    exact = judge((2, 3136))
    exact[0, :8] = 1e-9
    eager, graph = rounded(exact, 1.5e-4), rounded(exact, 1.5e-4, seed=2)
    strays = np.abs(graph - eager) > 1e-4 + 1e-3 * np.abs(eager)
    assert strays.any()  # the rule of old failed here
    assert verdict(exact, eager, graph).verdict == PASSED


def test_one_channel_of_one_sample_that_is_wrong_fails_and_is_named():
    exact = judge((4, 64, 8, 8))
    graph = rounded(exact, seed=2)
    graph[2, 17] *= 1.0001
    row = verdict(exact, rounded(exact), graph)
    assert row.verdict == FAILED
    assert "index 2 of axis 0, index 17 of axis 1" in row.reason


def test_one_element_that_is_wrong_fails():
    exact = judge((2, 5000))
    graph = rounded(exact, seed=2)
    graph[1, 1234] += 1e-3
    assert verdict(exact, rounded(exact), graph).verdict == FAILED


def test_a_fault_in_the_smaller_of_two_samples_fails():
    exact = judge((2, 500))
    exact[1] *= 1e-3
    eager = np.concatenate([rounded(exact[:1]), rounded(exact[1:])])
    graph = np.concatenate([rounded(exact[:1], seed=2), rounded(exact[1:] * 1.002, seed=2)])
    assert verdict(exact, eager, graph).verdict == FAILED


def test_eager_that_is_exact_by_luck_does_not_fail_a_graph_that_is_a_roundoff_off():
    exact = np.array([[1.25]])
    assert verdict(exact, np.float32(exact), np.float32(exact) + np.float32(2e-7)).verdict == PASSED


def test_a_tolerance_that_the_record_declares_allows_more_than_rounding():
    exact = judge((2, 50))
    graph = rounded(exact, 1e-4, seed=2)
    assert verdict(exact, rounded(exact), graph).verdict == FAILED
    assert verdict(exact, rounded(exact), graph, tolerance=Tolerance(atol=1e-3)).verdict == PASSED
    assert (
        verdict(exact, rounded(exact), graph, tolerance=Tolerance(multiple=300)).verdict == PASSED
    )


def test_the_default_tolerance_does_not_hide_a_fault_of_a_ten_thousandth():
    exact = judge((2, 50))
    assert verdict(exact, rounded(exact), rounded(exact * 1.0001, seed=2)).verdict == FAILED


def test_half_precision_is_judged_by_its_own_roundoff():
    exact = judge((2, 50))
    half = rounded(exact, 3e-4).astype(np.float16)
    assert verdict(exact, half, rounded(exact, 3e-4, seed=2).astype(np.float16)).verdict == PASSED
    assert verdict(exact, half, (exact * 1.02).astype(np.float16)).verdict == FAILED


def test_half_precision_somewhere_inside_a_float32_graph_fails():
    exact = judge((2, 50))
    inside = exact.astype(np.float16).astype(np.float32)
    assert verdict(exact, rounded(exact, 2e-7), inside).verdict == FAILED


def test_where_eager_itself_is_lost_nothing_is_shown():
    exact = judge((2, 50))
    row = verdict(exact, rounded(exact, 0.1), rounded(exact, 0.1, seed=2))
    assert row.verdict == VACUOUS
    assert "eager float32 itself is off by" in row.reason


def test_integers_may_be_the_judges_or_eagers_where_two_scores_tie():
    exact, eager = np.array([1, 2, 3]), np.array([1, 2, 4])
    for graph, expected in (([1, 2, 4], PASSED), ([1, 2, 3], PASSED), ([1, 5, 3], FAILED)):
        assert verdict(exact, eager, np.array(graph)).verdict == expected
