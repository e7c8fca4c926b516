"""How many iterations make a round, and when the warm-up is over: on a scripted clock."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import Machine

from bench.instruments.stopwatch import overhead, time_round
from bench.instruments.warmup import MIN_WINDOW, warm_up
from bench.plan import PLANS
from bench.stats import relative_slope

PLAN = PLANS["standard"]
TARGET = PLAN.round_seconds


def nothing() -> None:
    return None


def warm(machine, durations, plan=PLAN, target=TARGET):
    call = machine.call(durations)

    def one(iterations):
        return time_round(call, nothing, iterations, clock=machine.clock)

    return warm_up(one, plan, target, clock=machine.clock)


def test_a_round_is_timed_from_idle_to_idle():
    machine = Machine()
    seconds = time_round(
        machine.call([0.010]), lambda: machine.sleep(0.005), 3, clock=machine.clock
    )
    assert seconds == pytest.approx(0.035)


def test_the_cost_of_reading_the_clock_and_synchronising_is_known():
    machine = Machine(tick=100)
    assert overhead(lambda: machine.sleep(2e-6), clock=machine.clock) == pytest.approx(2.1e-6)


@given(st.floats(min_value=1e-5, max_value=1.0))
@settings(deadline=None)
def test_a_round_of_any_call_lasts_as_long_as_asked_and_not_much_longer(seconds):
    found = warm(Machine(), [seconds])
    assert found.iterations * seconds >= TARGET * 0.999
    assert found.iterations == 1 or found.iterations * seconds <= 2 * TARGET


def test_a_slow_clock_makes_longer_rounds():
    assert warm(Machine(), [1e-3], target=1.0).iterations >= 1000


def test_steady_rounds_end_the_warm_up_early():
    found = warm(Machine(), [0.025])
    assert found.ended_because == "flat"
    assert relative_slope(found.samples[-MIN_WINDOW:]) == 0
    assert len(found.samples) <= 12


def test_rounds_that_get_faster_are_waited_for():
    falling = [0.1 * 0.9**i + 0.02 for i in range(40)]
    found = warm(Machine(), falling, replace(PLAN, warmup_seconds=5.0))
    assert found.ended_because == "flat"
    assert found.samples[-1] == pytest.approx(0.02, rel=0.1)


def test_rounds_that_never_settle_end_at_the_cap():
    machine = Machine()
    began = machine.now
    found = warm(machine, [0.02 * 1.05**i for i in range(200)])
    assert found.ended_because == "cap"
    assert relative_slope(found.samples[-MIN_WINDOW:]) > PLAN.warmup_slope
    assert (machine.now - began) * 1e-9 <= PLAN.warmup_seconds * 1.5


def test_a_call_longer_than_the_cap_is_run_once():
    found = warm(Machine(), [5.0])
    assert found.samples == (5.0,)
    assert found.ended_because == "cap"


def test_a_first_call_that_is_slow_does_not_make_rounds_too_short():
    found = warm(Machine(), [0.4, *[0.001] * 2000])
    assert found.iterations * 0.001 >= TARGET


def test_warm_up_samples_are_per_iteration():
    found = warm(Machine(), [0.002])
    assert found.samples == pytest.approx([0.002] * len(found.samples))


def test_rounds_stay_long_enough_when_the_machine_was_busy_during_the_warm_up():
    # Somebody else took half of the core for half of the warm-up.
    busy = [0.002 if (i // 40) % 2 else 0.001 for i in range(2000)]
    found = warm(Machine(), busy)
    assert found.iterations * 0.001 >= TARGET


def test_long_calls_that_were_just_made_are_the_warm_up():
    def never(iterations):
        raise AssertionError("a call of seconds is not repeated")

    warm = warm_up(never, PLANS["quick"], 0.02, clock=Machine().clock, before=(6.5, 6.0))
    assert (warm.samples, warm.iterations, warm.ended_because) == ((6.5, 6.0), 1, "cap")


def test_short_calls_that_were_just_made_change_nothing():
    def after(before):
        machine = Machine()
        call = machine.call([0.001])

        def one(iterations):
            return time_round(call, nothing, iterations, clock=machine.clock)

        return warm_up(one, PLAN, TARGET, clock=machine.clock, before=before)

    assert after((0.001, 0.001)) == after(())
