"""When rounds are enough, and which of them count: on a scripted machine."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import Machine, looks, quiet

from bench.instruments.counters import Counters, disturbances, longest_wait, read_counters
from bench.instruments.rounds import FEW, Boundary, Round, rounds_wanted, take_rounds, void_reasons
from bench.instruments.sentinel import is_off, sentinel
from bench.plan import PLANS
from bench.stats import relative_interval

PLAN = PLANS["standard"]


def take(durations, *, plan=PLAN, look=None, machine=None):
    machine = machine or Machine()
    return take_rounds(machine.rounds(durations), look or looks(), plan, clock=machine.clock)


def noise(n, spread, seed=0):
    generator = random.Random(seed)
    return [0.02 * (1 + spread * generator.random()) for _ in range(n)]


def test_quiet_rounds_stop_when_there_are_enough_for_the_percentile():
    found = take([0.02])
    assert found.stopped_because == "interval"
    assert 29 <= len(found.rounds) <= 33


def test_noisy_rounds_go_on_until_the_interval_is_narrow():
    found = take(noise(500, 0.3), plan=replace(PLAN, cap_seconds=60))
    seconds = [r.seconds for r in found.rounds]
    assert found.stopped_because == "interval"
    assert len(seconds) > 33
    assert relative_interval(seconds) <= PLAN.target_interval


@given(st.lists(st.floats(min_value=0.001, max_value=2.0), min_size=1, max_size=50))
@settings(deadline=None)
def test_any_rounds_end_by_the_stretched_cap(durations):
    machine = Machine()
    began = machine.now
    take(durations, machine=machine)
    most = PLAN.cap_seconds * PLAN.cap_stretch + max(durations)
    assert (machine.now - began) * 1e-9 <= most + 1e-6


def test_hopeless_noise_ends_at_the_cap():
    machine = Machine()
    began = machine.now
    found = take(noise(5000, 20), machine=machine)
    assert found.stopped_because == "time_cap"
    assert (machine.now - began) * 1e-9 <= PLAN.cap_seconds * 1.5


def test_a_slow_cell_gets_its_fewest_rounds_beyond_the_cap():
    found = take([0.7])
    assert len(found.rounds) == PLAN.min_rounds


@pytest.mark.parametrize("seconds", [0.8, 1.1])
def test_a_cell_too_slow_for_an_interval_gets_three_rounds(seconds):
    found = take([seconds])
    assert len(found.rounds) == FEW
    assert found.stopped_because == "time_cap"


def test_one_round_that_was_held_up_does_not_make_a_cell_slow():
    assert len(take([0.3, 2.0, *[0.3] * 20]).rounds) >= PLAN.min_rounds


def test_a_very_slow_cell_is_cut_at_the_stretched_cap():
    found = take([4.0])
    assert len(found.rounds) == 1
    assert found.stopped_because == "time_cap"


@pytest.mark.parametrize(
    ("plan", "seconds", "wanted"),
    [
        ("standard", 0.02, 29),
        ("standard", 0.5, 6),
        ("quick", 0.02, 6),
        ("rigorous", 0.02, 299),
        ("rigorous", 0.5, 29),
        ("rigorous", 5.0, 29),
    ],
)
def test_rounds_are_taken_for_the_highest_percentile_that_fits(plan, seconds, wanted):
    assert rounds_wanted(PLANS[plan], seconds) == wanted


def test_a_round_beside_a_slow_sentinel_is_void_and_replaced():
    clean = take([0.02])
    sentinels = [3e-5] * 5 + [9e-5] + [3e-5] * 200
    found = take([0.02], look=looks(sentinels=sentinels))
    assert [i for i, keep in enumerate(found.kept) if not keep] == [4, 5]
    assert sum(found.kept) >= 29
    assert len(found.rounds) > len(clean.rounds)
    assert found.reason_counts() == {"sentinel": 2}
    assert not found.are_voids_kept


def test_the_void_rules_do_not_look_at_how_fast_a_round_was():
    spiky = [0.02] * 10 + [0.2] + [0.02] * 100
    assert take(spiky).num_void == 0


@given(st.lists(st.floats(min_value=1e-3, max_value=1.0), min_size=2, max_size=40), st.randoms())
@settings(deadline=None)
def test_a_sentinel_voids_the_same_rounds_whatever_they_took(durations, generator):
    sentinels = [3e-5 * (1 + 3 * (generator.random() > 0.8)) for _ in range(len(durations) + 1)]

    def verdicts(times):
        pairs = zip(times, sentinels, sentinels[1:], strict=False)
        return void_reasons(
            [Round(seconds=t, before=quiet(a), after=quiet(b)) for t, a, b in pairs]
        )

    assert verdicts(durations) == verdicts([2 * t for t in durations])


def test_too_many_void_rounds_all_count_and_it_shows():
    waits = count(step=30_000_000)

    def look():
        return Boundary(sentinel=3e-5, counters=Counters(waited={1: next(waits)}))

    found = take([0.05], look=look)
    assert all(found.kept)
    assert found.are_voids_kept
    assert found.num_void == len(found.rounds)
    assert found.wait_share() == pytest.approx(0.6)


def test_few_quiet_rounds_among_many_disturbed_ones_are_enough():
    calls = iter(range(10_000))

    def look():
        # Two rounds of three are held up.
        number = next(calls)
        return Boundary(
            sentinel=3e-5, counters=Counters(waited={1: 5_000_000 * (number - number // 3)})
        )

    found = take([0.02], look=look, plan=replace(PLAN, cap_seconds=2.2))
    assert found.stopped_because == "interval"
    assert 0.3 < sum(found.kept) / len(found.kept) < 0.4


COUNTERS = Counters(waited={1: 0, 2: 0})


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        ({}, ()),
        ({"waited": {1: 0, 2: 1_500_000, 3: 0}}, ("delayed",)),
        ({"waited": {1: 100_000, 2: 0}}, ()),
        ({"switches": 50}, ()),
        ({"major_faults": 1}, ("major_fault",)),
        ({"throttled": 1}, ("quota",)),
        ({"gpu": 0x40}, ("gpu_throttled",)),
    ],
)
def test_a_round_is_void_for_what_the_system_counted(change, reasons):
    assert disturbances(COUNTERS, replace(COUNTERS, **change), 0.02) == reasons


def test_context_switches_count_where_the_run_queue_cannot_be_read():
    before, after = Counters(waited=None), Counters(waited=None, switches=50)
    assert disturbances(before, after, 0.02) == ("preempted",)
    assert longest_wait(before, after) is None


def test_the_counters_of_this_process_grow():
    first, second = read_counters(), read_counters()
    assert second.switches >= first.switches
    assert second.major_faults >= first.major_faults
    wait = longest_wait(first, second)
    assert wait is None or wait >= 0


def test_readings_near_the_median_are_never_off():
    assert is_off([]) == []
    assert not any(is_off([1.0, 1.0, 1.0, 1.015]))
    assert is_off([1.0, 1.0, 1.0, 1.0, 1.5]) == [False] * 4 + [True]
    assert is_off([1.0, 1.0, 1.0, 1.0, 0.5])[-1]


def test_the_sentinel_costs_little_beside_a_round_and_starts_no_thread():
    import threading
    import time
    from pathlib import Path

    read = sentinel()
    read()
    tasks = Path("/proc/self/task")
    before = len(list(tasks.iterdir())) if tasks.exists() else threading.active_count()
    began = time.perf_counter()
    values = [read() for _ in range(50)]
    each = (time.perf_counter() - began) / 50
    after = len(list(tasks.iterdir())) if tasks.exists() else threading.active_count()
    assert after == before
    assert min(values) > 0
    assert each < 0.25 * PLAN.round_seconds  # 0.1 ms when quiet; generous for a busy machine
