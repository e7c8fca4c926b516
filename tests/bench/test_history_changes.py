"""Change points: what is found, and how seldom something that is not there."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.history.changes import (
    MIN_SIDE,
    MIN_VALUES,
    Track,
    best_split,
    find_shifts,
    rejection_level,
    winsorized,
)

STEP = math.log(1.1)
LEAST = math.log(1.02)
FLOATS = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False)


def noise(dice: random.Random, count: int, sigma: float = 0.02) -> list[float]:
    return [dice.gauss(0, sigma) for _ in range(count)]


def stepped(dice: random.Random, before: int, after: int, sigma: float = 0.02) -> list[float]:
    return noise(dice, before, sigma) + [value + STEP for value in noise(dice, after, sigma)]


def found(values: list[float], groups: list[str] | None = None, least: float = 0.0) -> list[int]:
    track = Track(values=values, groups=groups or [], least=least)
    return [shift.at for shift in find_shifts([track])[0]]


@given(FLOATS, st.integers(min_value=0, max_value=80))
@settings(max_examples=40, deadline=None)
def test_constant_values_have_no_change(value: float, count: int) -> None:
    assert found([value] * count) == []


@given(st.lists(FLOATS, min_size=6, max_size=60))
@settings(max_examples=60, deadline=None)
def test_a_place_leaves_three_values_on_either_side_and_its_p_value_is_one(
    values: list[float],
) -> None:
    at, p_value = best_split(values, orders=199)
    assert MIN_SIDE <= at <= len(values) - MIN_SIDE
    assert 0 < p_value <= 1
    assert best_split(values, orders=199) == (at, p_value)


@given(st.lists(FLOATS, max_size=MIN_VALUES - 1))
@settings(max_examples=20, deadline=None)
def test_fewer_than_eight_values_are_not_searched(values: list[float]) -> None:
    assert found(values) == []


SHAPES: dict[str, Callable[[random.Random], list[float]]] = {
    "few": lambda dice: noise(dice, 8),
    "normal": lambda dice: noise(dice, 14),
    "with values far out": lambda dice: [
        dice.gauss(0, 0.03) + (dice.random() < 0.1) * dice.uniform(0.2, 0.8) for _ in range(25)
    ],
    "without a mean": lambda dice: [
        dice.gauss(0, 1) / (abs(dice.gauss(0, 1)) + 1e-9) for _ in range(20)
    ],
    "of two values": lambda dice: [float(dice.random() < 0.3) for _ in range(25)],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_noise_in_any_order_is_called_a_change_at_the_nominal_rate(shape: str) -> None:
    number = 300
    alarms = sum(bool(found(SHAPES[shape](random.Random(seed)))) for seed in range(number))
    # 5% of 300 are 15; the upper 99.9% point of the binomial distribution is 28.
    assert alarms <= 28


def test_noise_of_two_machines_with_levels_of_their_own_is_no_change() -> None:
    alarms = 0
    for seed in range(150):
        dice = random.Random(seed)
        groups = [dice.choice("ab") for _ in range(24)]
        values = [dice.gauss(0, 0.02) + (0.25 if group == "b" else 0.0) for group in groups]
        alarms += bool(found(values, groups))
    assert alarms <= 17  # 99.9% point of binomial(150, 5%)


@given(
    st.integers(min_value=0, max_value=10**6),
    st.integers(min_value=10, max_value=40),
    st.integers(min_value=5, max_value=30),
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_a_step_of_ten_percent_is_found_where_it_is(seed: int, before: int, after: int) -> None:
    places = found(stepped(random.Random(seed), before, after, sigma=0.01))
    assert min(abs(place - before) for place in places) <= 1


def test_a_step_is_told_from_three_values_after_it_on() -> None:
    dice = random.Random(4)
    values = stepped(dice, 20, 3, sigma=0.005)
    assert found(values) == [20]
    assert found(values[:-1]) == []


def test_a_step_is_found_among_values_far_out() -> None:
    hits = near = 0
    for seed in range(60):
        dice = random.Random(seed)
        values = stepped(dice, 24, 16, sigma=0.03)
        values = [v + (dice.random() < 0.1) * dice.uniform(0.2, 0.8) for v in values]
        places = found(values)
        hits += bool(places)
        near += any(abs(place - 24) <= 3 for place in places)
    # 35 and 24; means without pulling values in find 10 and 6.
    assert hits >= 28
    assert near >= 18


def test_a_step_inside_two_alternating_machines_is_found_and_sized_inside_them() -> None:
    dice = random.Random(1)
    groups = ["ab"[i % 2] for i in range(40)]
    values = [
        dice.gauss(0, 0.01) + (0.4 if group == "b" else 0.0) + (STEP if i >= 30 else 0.0)
        for i, group in enumerate(groups)
    ]
    (shift,) = find_shifts([Track(values=values, groups=groups, least=LEAST)])[0]
    assert abs(shift.at - 30) <= 1
    assert shift.is_within
    assert shift.size == pytest.approx(STEP, abs=0.02)


def test_a_change_that_comes_with_another_machine_is_told_as_such() -> None:
    dice = random.Random(2)
    groups = ["a"] * 20 + ["b"] * 20
    (shift,) = find_shifts([Track(values=stepped(dice, 20, 20), groups=groups)])[0]
    assert (shift.at, shift.is_within) == (20, False)


def test_up_and_down_again_are_two_changes() -> None:
    dice = random.Random(3)
    values = stepped(dice, 30, 20, sigma=0.01) + noise(dice, 25, 0.01)
    (up, down) = find_shifts([Track(values=values, least=LEAST)])[0]
    assert (up.at, down.at) == (30, 50)
    assert up.size == pytest.approx(STEP, abs=0.01)
    assert down.size == pytest.approx(-STEP, abs=0.01)


def test_a_move_below_the_least_is_not_told_however_sure_it_is() -> None:
    values = [0.0] * 20 + [0.01] * 20
    assert found(values) == [20]
    assert found(values, least=LEAST) == []


def test_the_share_of_false_alarms_is_bounded_over_all_series() -> None:
    told = false = 0
    for seed in range(20):
        dice = random.Random(seed)
        tracks = [Track(values=stepped(dice, 20, 12)) for _ in range(4)]
        tracks += [Track(values=noise(dice, 32)) for _ in range(36)]
        result = find_shifts(tracks)
        assert all(result[:4]), "a changed series must not be lost among unchanged ones"
        told += sum(map(bool, result))
        false += sum(map(bool, result[4:]))
    assert false / told <= 0.12


@pytest.mark.parametrize(
    "p_values, expected",
    [
        ([], 0.0),
        ([0.2, 0.06], 0.0),
        ([0.05], 0.05),
        # Benjamini and Hochberg's own example (1995, section 3.2): four of fifteen.
        (
            [
                *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459),
                *(0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0),
            ],
            0.05 * 4 / 15,
        ),
    ],
)
def test_the_level_is_the_one_of_benjamini_and_hochberg(
    p_values: list[float], expected: float
) -> None:
    assert rejection_level(p_values, 0.05) == pytest.approx(expected)


def test_a_value_far_out_is_pulled_in_and_the_others_stay() -> None:
    values = [1.0, 1.1, 0.9, 1.05, 0.95, 9.0]
    pulled = winsorized(values)
    assert pulled[:5] == values[:5]
    assert 1.1 < pulled[5] < 2.0
