"""Timing in turns, with a clock that follows a script: no test here waits, and none asserts a speed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.timing import LEAST, TURN, alternate, ratio


class Machine:
    """Time passes only when something is called; `log` is what was called."""

    def __init__(self) -> None:
        self.now = 100.0
        self.log: list[str] = []
        self.speed = 1.0

    def clock(self) -> float:
        return self.now

    def call(self, name: str, seconds: float):
        def one() -> None:
            self.log.append(name)
            self.now += seconds * self.speed

        return one


def timed(machine: Machine, seconds: float = 0.0, **durations: float) -> dict[str, list[float]]:
    calls = {name: machine.call(name, duration) for name, duration in durations.items()}
    return alternate(calls, seconds=seconds, clock=machine.clock).samples


def test_turns_go_forwards_and_backwards_after_a_warm_up_of_each():
    machine = Machine()
    timed(machine, a=1.0, b=2.0)
    assert "".join(machine.log) == "aabb" + "abba" * 3


def test_every_callable_gets_six_samples_however_short_the_time():
    samples = timed(Machine(), seconds=0.0, a=1.0, b=2.0, c=3.0)
    assert {name: len(row) for name, row in samples.items()} == dict.fromkeys("abc", LEAST)


def test_a_sample_is_seconds_per_call_however_often_a_turn_repeats_it():
    machine = Machine()
    samples = timed(machine, slow=1.0, fast=TURN / 50)
    assert samples["slow"] == pytest.approx([1.0] * LEAST)
    assert samples["fast"] == pytest.approx([TURN / 50] * LEAST)
    assert machine.log.count("fast") == 2 + 10 + 55 + 56 * LEAST
    assert machine.log.count("slow") == 2 + LEAST


def test_it_goes_on_until_the_time_is_spent_and_ends_with_a_whole_round():
    samples = timed(Machine(), seconds=31.0, a=1.0, b=1.0)
    assert [len(row) for row in samples.values()] == [16, 16]


def test_a_slow_first_call_does_not_make_turns_too_short():
    machine, calls = Machine(), []

    def call():
        calls.append(1)
        machine.now += 0.004 if len(calls) < 3 else TURN / 100

    alternate({"a": call}, seconds=0.0, clock=machine.clock)
    assert len(calls) > 100 * LEAST


def test_waiting_for_the_device_belongs_to_the_turn():
    machine = Machine()
    samples = alternate(
        {"a": machine.call("a", 0.25)},
        seconds=0.0,
        synchronize=machine.call("wait", 0.5),
        clock=machine.clock,
    ).samples
    assert samples["a"] == pytest.approx([0.75] * LEAST)


def test_a_call_too_short_for_the_clock_is_repeated():
    machine = Machine()
    alternate({"a": lambda: machine.log.append("a")}, seconds=0.0, clock=machine.clock)
    assert len(machine.log) == 2 + 10 + 100 + 1000 + 1001 * LEAST


def test_nothing_to_time_is_an_error():
    with pytest.raises(ValueError, match="`calls` is empty"):
        alternate({}, seconds=1.0)


def test_the_real_clock_and_no_device_are_the_defaults():
    called: list[int] = []
    (samples,) = alternate({"a": lambda: called.append(1)}, seconds=0.0).samples.values()
    assert len(samples) == LEAST
    assert all(sample >= 0 for sample in samples)


@pytest.mark.parametrize(("share", "is_starved"), [(0.1, False), (0.4, True)])
def test_turns_that_waited_for_a_core_tell_no_ratio(share, is_starved):
    machine = Machine()
    calls = {"a": machine.call("a", 1.0), "b": machine.call("b", 2.0)}
    found = alternate(calls, seconds=0.0, clock=machine.clock, waited=lambda: share * machine.now)
    assert found.is_starved is is_starved


def test_a_machine_that_slows_down_does_not_change_the_ratio():
    machine = Machine()
    fast, slow = machine.call("fast", 1.0), machine.call("slow", 2.0)

    def and_slower(call):
        def one() -> None:
            call()
            if len(machine.log) % 2 == 0:  # both of a pass at the same speed
                machine.speed *= 1.3

        return one

    samples = alternate(
        {"slow": and_slower(slow), "fast": and_slower(fast)}, seconds=0.0, clock=machine.clock
    ).samples
    assert max(samples["slow"]) > 3 * min(samples["slow"])
    found = ratio(samples["slow"], samples["fast"])
    assert (found.low, found.median, found.high) == pytest.approx((2.0, 2.0, 2.0))


def test_the_interval_of_six_is_all_of_them_and_of_many_the_middle():
    six = ratio([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0] * 6)
    assert (six.low, six.median, six.high) == (1.0, 3.5, 6.0)
    many = ratio([float(n) for n in range(1, 101)], [1.0] * 100)
    # Ranks 40 and 61 of 100: the usual table of the sign test.
    assert (many.low, many.high, many.num_pairs) == (40.0, 61.0, 100)


@pytest.mark.parametrize(("a", "b"), [(5, 5), (6, 7), (0, 0)])
def test_too_few_samples_or_unpaired_ones_are_refused(a, b):
    with pytest.raises(ValueError, match=f"{a} and {b} samples; expected equally many, at least 6"):
        ratio([1.0] * a, [1.0] * b)


@given(
    st.lists(
        st.tuples(st.floats(1e-6, 1e3), st.floats(1e-6, 1e3)),
        min_size=LEAST,
        max_size=80,
    )
)
def test_the_bounds_hold_the_median_and_turning_the_ratio_around_turns_them(pairs):
    a, b = zip(*pairs, strict=True)
    there, back = ratio(a, b), ratio(b, a)
    assert there.low <= there.median <= there.high
    assert back.low == pytest.approx(1 / there.high)
    assert back.high == pytest.approx(1 / there.low)
