"""Two arms in turns: the order, the end, what a part is worth, and what happens when one arm is gone."""

import hashlib
import threading
import time
from contextlib import contextmanager

import pytest

from bench.instruments.turn_lock import GONE, ArmLost, join
from bench.instruments.turns import summarize_turn, take_turns
from suite.timing import num_running_threads, wait_for_idle_threads


def pair(path, work, deadline=5.0):
    """Runs `work(begins, lock)` in two threads that meet at the path; what each returned or raised."""
    found = {}

    def arm(begins):
        try:
            with join(path, begins=begins, deadline=deadline) as lock:
                found[begins] = work(begins, lock)
        except Exception as error:
            found[begins] = error

    threads = [threading.Thread(target=arm, args=(begins,)) for begins in (True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
        assert not thread.is_alive()
    return found


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's path may have no more than 107 characters
    return "meeting"


def turns(path, *, num_turns=8, seconds=60.0, reasons=(), clock=time.perf_counter_ns):
    """The order in which the arms worked, and every arm's turns."""
    order, running = [], []

    def work(begins, lock):
        def turn():
            running.append(begins)
            assert len(running) == 1, "both arms at once"
            order.append("AB"[not begins])
            running.pop()
            return 1.0, 3e-5, tuple(reasons)

        if not begins:
            assert lock.acquire() == 0
        else:
            lock.release(num_bad=0)
        if not begins:
            lock.release(num_bad=0)
        return take_turns(
            turn,
            lambda: None,
            lock,
            begins=begins,
            num_turns=num_turns,
            seconds=seconds,
            clock=clock,
            rest=lambda: 0.0,
        )

    return "".join(order), pair(path, work), order


def test_turns_go_a_bb_aa_bb_a_and_never_both_at_once(path):
    _, found, order = turns(path, num_turns=4)
    assert "".join(order) == "ABBAABBA"
    assert {len(t) for t in found.values()} == {4}


def test_both_arms_have_equally_many_turns_however_long_it_goes(path):
    _, found, order = turns(path, num_turns=11)
    assert len(found[True]) == len(found[False]) == 12
    assert "".join(order) == "ABBA" * 6


def test_disturbed_turns_are_replaced_until_the_time_is_up(path):
    now = iter(range(0, 10**13, 10**9))
    _, found, _ = turns(
        path, num_turns=8, seconds=9.0, reasons=["delayed"], clock=lambda: next(now)
    )
    assert len(found[True]) > 8


def test_an_arm_that_dies_in_the_middle_ends_the_other_at_once(path):
    def work(begins, lock):
        if begins:
            raise RuntimeError("boom")
        return lock.acquire()

    began = time.monotonic()
    found = pair(path, work, deadline=60.0)
    assert isinstance(found[False], ArmLost)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("begins", [True, False])
def test_an_arm_does_not_wait_for_one_that_ended_before_the_block(path, begins, tmp_path):
    (tmp_path / (path + GONE)).touch()
    with (
        pytest.raises(ArmLost, match="before the block"),
        join(path, begins=begins, deadline=60.0),
    ):
        pass


def test_an_arm_that_nobody_joins_gives_up_at_its_deadline(path):
    with pytest.raises(TimeoutError, match="did not come"), join(path, begins=False, deadline=0.1):
        pass


def test_a_turn_is_the_median_of_its_undisturbed_parts():
    spoiled = [(), ("delayed",), (), ("delayed",), ()]
    assert summarize_turn([1.0, 9.0, 1.2, 8.0, 1.1], spoiled) == (1.1, ())


def test_a_turn_without_an_undisturbed_part_is_void_and_says_why():
    spoiled = [("delayed",), ("quota",), ("delayed",)]
    assert summarize_turn([1.0, 2.0, 3.0], spoiled) == (2.0, ("delayed", "quota"))


def test_an_arm_hands_over_when_its_threads_are_asleep():
    spinning = iter([0.0, 0.002, 0.002, 0.004, 0.004, 0.00401, 0.00401])
    assert wait_for_idle_threads(lambda: next(spinning), untold) == pytest.approx(0.006)


def test_an_arm_whose_threads_never_sleep_hands_over_all_the_same():
    total = iter(i * 0.002 for i in range(1000))
    assert wait_for_idle_threads(lambda: next(total), untold) <= 0.07


def test_an_arm_whose_other_threads_sleep_hands_over_at_once():
    with asleep():
        assert num_running_threads() == 0
        assert wait_for_idle_threads() == 0


def test_an_arm_waits_for_a_thread_that_works():
    work = threading.Thread(target=hashlib.pbkdf2_hmac, args=("sha256", b"", b"", 60_000))
    work.start()
    assert wait_for_idle_threads() > 0
    work.join()


@contextmanager
def asleep():
    """A second thread that waits until the end."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    time.sleep(0.01)  # until it has come to its wait
    try:
        yield
    finally:
        end.set()
        thread.join()


def untold():
    """How many threads run, on a system that does not say."""
