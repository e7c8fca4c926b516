"""Which arms of a search leave after a round, and when it is over."""

import random
from dataclasses import replace

import pytest
from tune_arms import EAGER, arm

from bench.halving import (
    COST,
    LIMIT,
    SLOWER,
    costly,
    is_clear,
    is_void,
    leader,
    leaving,
    next_length,
    ratio_of,
    speeds,
)
from bench.instruments.options import SearchArm, SearchOptions
from bench.instruments.search import Room, search
from bench.instruments.sitting import ArmFailed
from suite.worker.job_options import JobOptions


def test_what_is_surely_slower_leaves_and_what_cannot_be_told_apart_stays():
    arms = [arm("eager"), arm("fast", 0.5), arm("same", 0.501), arm("slow", 0.8)]
    names = [one.label for one in arms]
    assert leader(arms, ["eager"], names).label == "fast"
    assert leaving(arms, ["eager"], names) == {"slow": SLOWER}


def test_eager_stays_however_slow_it_is():
    arms = [arm("eager", 5.0), arm("fast", 0.5)]
    assert leaving(arms, ["eager"], ["eager", "fast"]) == {}
    assert is_clear(arms, ["eager"], ["eager", "fast"], most_turns=32)


def test_of_eager_with_one_thread_and_with_two_the_surely_slower_one_leaves():
    arms = [arm("eager2", 1.0, threads=2), arm("eager1", 2.0), arm("fast", 0.5)]
    names = [one.label for one in arms]
    assert leaving(arms, names[:2], names) == {"eager1": SLOWER}


def test_halving_does_not_throw_out_by_noise_alone():
    dice = random.Random(3)
    noisy = [1.0 + 0.4 * dice.random() for _ in range(8)]
    other = [1.0 + 0.4 * dice.random() for _ in range(8)]
    arms = [arm("eager", 2.0), arm("a", noise=noisy, num=8), arm("b", noise=other, num=8)]
    assert leaving(arms, ["eager"], ["eager", "a", "b"]) == {}
    assert not is_clear(arms, ["eager"], ["eager", "a", "b"], most_turns=32)
    assert is_clear(arms, ["eager"], ["eager", "a", "b"], most_turns=8)


def test_two_threads_on_a_busy_machine_are_void_and_not_ranked():
    busy = arm("two", 0.1, threads=2, void=range(6))
    assert is_void(busy)
    assert not is_void(replace(busy, threads=1))
    arms = [arm("eager"), busy, arm("one", 0.5)]
    assert "two" not in speeds(arms, ["eager"])
    assert leader(arms, ["eager"], ["eager", "two", "one"]).label == "one"


def test_if_eager_with_two_threads_is_void_the_others_are_set_against_eager_with_one():
    void = arm("eager2", 40.0, threads=2, void=range(9))
    arms = [void, arm("eager1", 1.0), arm("fast", 0.5)]
    assert speeds(arms, ["eager2", "eager1"])["fast"] == pytest.approx(2.0, rel=0.01)


def test_arms_that_came_later_are_compared_in_the_passes_that_they_share():
    early = arm("early", 1.0, num=10, void=(9,))
    late = arm("late", 0.5, num=4, first_pass=6)
    found = ratio_of(early, late)
    assert found.value == pytest.approx(2.0, rel=0.02)
    assert (found.num_pairs, found.num_void) == (3, 1)


def test_batches_are_compared_per_sample():
    found = ratio_of(arm("one", 1.0), arm("eight", 4.0, num_samples=8))
    assert found.value == pytest.approx(2.0, rel=0.01)


def test_what_breaks_a_limit_is_timed_in_one_round_and_leaves():
    arms = [arm("eager"), arm("bad", 0.1), arm("good", 0.5)]
    assert leaving(arms, ["eager"], ["eager", "good"]) == {"bad": LIMIT}
    over = leaving(arms, ["eager"], ["eager", "bad", "good"], max_seconds=0.3)
    assert over == {"good": LIMIT}


def test_what_takes_most_of_the_time_leaves_after_a_glance():
    arms = [arm("eager", 1.0, num=2), arm("crawls", 90.0, num=2), arm("ok", 2.0, num=2)]
    assert costly(arms, ["eager"], ["eager", "crawls", "ok"]) == {"crawls": COST}
    disturbed = [arms[0], arm("crawls", 90.0, num=2, void=(1,)), arms[2]]
    assert costly(disturbed, ["eager"], ["eager", "crawls", "ok"]) == {}


def test_rounds_double():
    assert [next_length(n) for n in (0, 4, 8, 16, 32)] == [4, 4, 8, 16, 16]


# The search itself, with scripted arms.


def hold(seconds, *, halves=True, passes=0, cap=1000.0, room=lambda n: True, fails=()):
    """A search over arms that take these seconds; returns its result and the order of the turns."""
    now, order, stopped, parts = [0], [], [], []
    dice = random.Random(0)

    def ask(number, word):
        if (number, word) in fails:
            raise ArmFailed("RuntimeError: boom")
        if word != "turn":
            return {"iterations": 1}
        taken = seconds[number] * dice.uniform(0.99, 1.01)
        now[0] += int(taken * 1e9)
        order.append(number)
        return {"seconds": taken, "sentinel": 1e-5, "reasons": []}

    arms = tuple(
        SearchArm(
            label=str(number), cell=EAGER, options=JobOptions(threads=1), is_anchor=number == 0
        )
        for number in range(len(seconds))
    )
    asked = SearchOptions(arms=arms, seconds=cap, halves=halves, passes=passes)

    def emit(kind, /, **data):
        parts.append((kind, data.get("name")))

    found = search(asked, ask, stopped.append, room, emit, clock=lambda: now[0])
    return found, order, stopped, parts


def test_a_search_spends_its_turns_on_what_may_be_the_fastest():
    found, order, stopped, parts = hold([1.0, 0.5, 0.9, 3.0, 0.2])
    assert found.stopped_because == "decided"
    left = {one.label: (one.left_because, one.left_after) for one in found.arms}
    assert left == {
        "0": ("", 0),
        "1": ("slower", 1),
        "2": ("slower", 1),
        "3": ("cost", 0),
        "4": ("", 0),
    }
    assert order.count(3) == 2
    assert sorted(stopped) == [0, 1, 2, 3, 4]
    assert ("part", "round") in parts
    everything, all_turns, _, _ = hold([1.0, 0.5, 0.9, 3.0, 0.2], halves=False, passes=32)
    assert everything.stopped_because == "passes"
    assert all_turns.count(3) == 32
    assert len(order) < len(all_turns) / 3


def test_neighbouring_passes_run_in_opposite_orders():
    _, order, _, _ = hold([1.0, 0.9], halves=False, passes=2)
    assert order == [0, 1, 1, 0]


def test_arms_without_room_wait_until_another_has_left():
    found, order, _, _ = hold([1.0, 0.5, 0.9, 0.2], room=lambda n: n < 3)
    assert order.index(3) > order.index(2)
    late = next(one for one in found.arms if one.label == "3")
    assert late.first_pass == 4
    assert not late.left_because
    assert {one.label for one in found.arms if one.left_because} == {"1", "2"}


def test_a_search_ends_at_its_cap_and_says_so():
    found, order, _, _ = hold([1.0, 1.0])
    assert (found.stopped_because, len(order)) == ("decided", 64)
    noisy, _, _, _ = hold([1.0, 1.0], cap=6.0)
    assert noisy.stopped_because == "time_cap"


def test_an_arm_that_fails_is_named_and_the_search_goes_on():
    found, _, _, _ = hold([1.0, 0.5, 0.4], fails={(1, "ready"), (2, "turn")})
    assert found.lost == {"1": "RuntimeError: boom", "2": "RuntimeError: boom"}
    assert [one.label for one in found.arms] == ["0"]


def test_without_any_arm_that_loads_a_search_ends_at_once():
    found, order, _, _ = hold([1.0], fails={(0, "ready")})
    assert (order, found.arms) == ([], ())


def test_no_more_arms_are_loaded_than_have_turns_close_to_each_other():
    room = Room()
    assert room.is_left(0)
    assert not room.is_left(16)
