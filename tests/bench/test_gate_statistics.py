"""The gate's statistics: properties that must hold, and a simulation of what they cost and find."""

import math
import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from bench.gate.power import detectable, probability_bound, spread_of
from bench.gate.signed_rank import (
    benjamini_hochberg,
    bound,
    hodges_lehmann,
    p_above,
    p_below,
    signed_rank_counts,
    walsh_averages,
)
from bench.gate.verdict import (
    ALPHA,
    LOOKS,
    Exit,
    Verdict,
    confirmed_verdict,
    exit_code,
    is_flagged,
    screen_verdict,
    summarize_effects,
)

EFFECTS = st.lists(st.floats(-0.5, 0.5, allow_nan=False, width=32), min_size=1, max_size=20)
STEADY = settings(deadline=None, max_examples=60)  # the first test imports scipy
STEADY_FEW = settings(deadline=None, max_examples=15)
LEAST, CLEAR = math.log(1.02), math.log(1.05)


@STEADY
@given(EFFECTS, st.floats(-1, 1))
def test_the_estimate_moves_with_the_effects(effects, shift):
    moved = hodges_lehmann([e + shift for e in effects])
    assert moved == pytest.approx(hodges_lehmann(effects) + shift, abs=1e-9)


@STEADY
@given(EFFECTS)
def test_turning_the_arms_round_turns_the_sign_round(effects):
    mirrored = [-e for e in effects]
    assert hodges_lehmann(mirrored) == pytest.approx(-hodges_lehmann(effects), abs=1e-12)
    upper, lower = bound(effects, "upper"), bound(mirrored, "lower")
    assert (upper is None) == (lower is None)
    assert upper is None or upper == pytest.approx(-lower, abs=1e-12)
    assert p_below(mirrored, -0.02) == pytest.approx(p_above(effects, 0.02))


@STEADY
@given(EFFECTS)
def test_the_bounds_enclose_the_estimate(effects):
    low, high = bound(effects, "lower"), bound(effects, "upper")
    if low is not None:
        assert low <= hodges_lehmann(effects) <= high


@STEADY
@given(EFFECTS, st.integers(0, 10_000))
def test_the_order_of_the_blocks_does_not_matter(effects, seed):
    shuffled = list(effects)
    random.Random(seed).shuffle(shuffled)
    assert summarize_effects(shuffled, least=LEAST) == summarize_effects(effects, least=LEAST)


@STEADY
@given(EFFECTS, st.floats(-0.2, 0.2), st.floats(0, 0.2))
@example([0.0, 0.25, 0.25, -0.5], 0.0, 0.0625)  # a block of just the minimum effect
def test_a_higher_minimum_effect_is_harder_to_show(effects, least, more):
    assert p_above(effects, least + more) >= p_above(effects, least) - 1e-12


def test_five_blocks_are_the_fewest_with_a_bound_and_it_is_their_largest():
    effects = [0.01, -0.02, 0.005, 0.03]
    assert bound(effects, "upper") is None
    assert bound([*effects, 0.0], "upper") == 0.03


def test_counts_of_the_signed_rank_statistic_add_up_to_all_sign_patterns():
    assert signed_rank_counts(3) == (1, 1, 1, 2, 1, 1, 1)
    assert all(sum(signed_rank_counts(n)) == 2**n for n in range(1, 21))


def test_ten_blocks_above_the_minimum_effect_have_the_smallest_p_value_there_is():
    assert p_above([0.03 + i / 1000 for i in range(10)], LEAST) == pytest.approx(2**-10)


def test_tied_effects_are_tested_exactly_too():
    assert p_above([0.1] * 6, 0.0) == pytest.approx(2**-6)
    assert p_above([0.1, 0.1, -0.1], 0.0) == pytest.approx(0.5)


def test_equal_arms_are_no_evidence():
    assert p_above([0.0] * 10, 0.0) == 1.0
    assert p_above([], 0.0) == 1.0


@STEADY
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_the_correction_for_many_rows_is_that_of_scipy(p_values):
    expected = false_discovery_control(p_values, method="bh")
    assert benjamini_hochberg(p_values) == pytest.approx([*expected], abs=1e-12)


def test_one_row_keeps_its_p_value_and_one_among_many_is_multiplied_by_their_number():
    assert benjamini_hochberg([0.03]) == [0.03]
    assert benjamini_hochberg([0.001, 1.0, 1.0, 1.0])[0] == pytest.approx(0.004)


def test_where_no_row_is_slower_than_the_threshold_few_runs_have_a_wrong_alarm():
    """20 rows just at the threshold, 10 blocks each, 300 runs: 7.5 are expected at most, 16 are three spreads more."""
    rng = random.Random(3)
    alarms = 0
    for _ in range(300):
        rows = [[rng.gauss(LEAST, 0.02) for _ in range(10)] for _ in range(20)]
        alarms += min(benjamini_hochberg([p_above(row, LEAST) for row in rows])) <= ALPHA / LOOKS
    assert alarms <= 16


def test_where_every_row_is_slower_nearly_every_one_is_told():
    """48 rows, 10% slower, every fourth block disturbed; multiplied by their number few would be told."""
    rng = random.Random(3)
    rows = [
        [0.1 + rng.gauss(0.0, 0.12 if number % 4 == 0 else 0.02) for number in range(11)]
        for _ in range(48)
    ]
    found = [p_above(row, LEAST) for row in rows]
    assert sum(p <= ALPHA / LOOKS for p in benjamini_hochberg(found)) >= 40
    assert sum(len(rows) * p <= ALPHA / LOOKS for p in found) <= 20


def test_too_few_blocks_can_detect_nothing():
    assert math.isinf(detectable(0.01, 4, least=LEAST, alpha=0.025))


def test_more_blocks_and_less_noise_detect_smaller_effects():
    at = [detectable(0.02, k, least=LEAST, alpha=0.025) for k in (8, 10, 20)]
    assert at == sorted(at, reverse=True)
    assert detectable(0.01, 10, least=LEAST, alpha=0.025) < at[1]


def test_no_alarm_in_300_rows_bounds_the_chance_of_one_at_one_percent():
    assert probability_bound(0, 300) == pytest.approx(0.00994, abs=2e-4)
    assert probability_bound(3, 3) == 1.0


def test_a_screen_never_says_regressed():
    found = summarize_effects([0.2] * 4 + [0.21], least=LEAST)
    assert is_flagged(found, least=LEAST, clear=CLEAR)
    assert screen_verdict(found, least=LEAST, clear=CLEAR) is Verdict.INCONCLUSIVE


def test_a_slowdown_within_the_margin_passes_only_when_it_is_clear():
    quiet, wild = [0.001 * i for i in range(-5, 5)], [0.03 * i for i in range(-4, 6)]
    ask = {"adjusted": 1.0, "adjusted_improved": 1.0, "clear": CLEAR}
    assert confirmed_verdict(summarize_effects(quiet, least=LEAST), **ask) is Verdict.NO_REGRESSION
    assert confirmed_verdict(summarize_effects(wild, least=LEAST), **ask) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({}, Exit.PASS),
        ({"verdicts": [Verdict.IMPROVED]}, Exit.PASS),
        ({"verdicts": [Verdict.REGRESSED]}, Exit.REGRESSED),
        ({"verdicts": [Verdict.INCONCLUSIVE]}, Exit.PASS),
        ({"verdicts": [Verdict.INCONCLUSIVE], "is_strict": True}, Exit.INCONCLUSIVE),
        ({"verdicts": [Verdict.REGRESSED], "has_control_shifted": True}, Exit.CONTAMINATED),
        ({"has_exact_regression": True, "has_control_shifted": True}, Exit.REGRESSED),
        ({"is_broken": True, "verdicts": [Verdict.REGRESSED]}, Exit.BROKEN),
    ],
)
def test_what_makes_numbers_worthless_comes_before_what_they_say(facts, code):
    fields = {
        "is_broken": False,
        "has_control_shifted": False,
        "verdicts": [],
        "has_exact_regression": False,
        "is_strict": False,
    }
    assert exit_code(**{**fields, **facts}) is code


def row_verdict(noise, shift):
    """One row through screen, confirm and one more look, as the gate does it; a family of one."""
    found = summarize_effects([noise() + shift for _ in range(5)], least=LEAST)
    if not is_flagged(found, least=LEAST, clear=CLEAR):
        return Verdict.NO_REGRESSION
    effects = [noise() + shift for _ in range(10)]
    for _ in range(2):
        found = summarize_effects(effects, least=LEAST)
        verdict = confirmed_verdict(
            found, adjusted=found.p_regressed, adjusted_improved=found.p_improved, clear=CLEAR
        )
        if verdict is not Verdict.INCONCLUSIVE:
            return verdict
        effects += [noise() + shift for _ in range(10)]
    return Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("shift", "least_share"), [(0.0, 0.0), (math.log(1.05), 0.8), (math.log(1.10), 0.95)]
)
def test_unchanged_rows_raise_no_alarm_and_slowdowns_are_found(shift, least_share):
    rng = random.Random(7)

    def noise():
        """A busy machine: 1.5% between blocks, and every tenth block hit by a neighbour."""
        return rng.gauss(0, 0.015) + (rng.gauss(0, 0.06) if rng.random() < 0.1 else 0.0)

    verdicts = [row_verdict(noise, shift) for _ in range(400)]
    share = sum(v is Verdict.REGRESSED for v in verdicts) / len(verdicts)
    if shift:
        assert share >= least_share
        assert sum(v is Verdict.NO_REGRESSION for v in verdicts) <= ALPHA * len(verdicts)
    else:
        assert share == 0.0


@STEADY_FEW
@given(st.integers(0, 1_000))
def test_the_minimum_detectable_effect_is_found_about_four_times_in_five(seed):
    rng = random.Random(seed)
    spread, num = 0.02, 10
    effect = detectable(spread, num, least=LEAST, alpha=0.025)
    hits = sum(
        p_above([rng.gauss(effect, spread) for _ in range(num)], LEAST) <= 0.025 for _ in range(60)
    )
    assert 0.6 <= hits / 60 <= 1.0


def test_the_spread_is_a_standard_deviation():
    rng = random.Random(3)
    assert spread_of([rng.gauss(0.1, 0.02) for _ in range(400)]) == pytest.approx(0.02, rel=0.1)
    assert walsh_averages([1.0]) == [1.0]
