"""The processor's counters: the system call, read on a clock of the kernel that every machine has; and refusals."""

import errno
import time

import pytest

from bench.gate import instruction_counter
from bench.gate.errors import GateError
from bench.gate.instruction_counter import find_counter, find_hardware
from bench.gate.valgrind import Valgrind
from bench.instruments.hardware_counter import INSTRUCTIONS, HardwareCounter, why_not
from bench.instruments.instruction_profile import InstructionProfile
from suite.worker.errors import Unavailable

TASK_CLOCK = (1, 1)
"""PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK: nanoseconds of processor time of the thread."""


def spin(turns):
    for _ in range(turns):
        pass


def counted(counter, turns):
    counter.start()
    began = time.thread_time_ns()
    spin(turns)
    took = time.thread_time_ns() - began
    return counter.stop().total, took


def refusal(event):
    """Why the event is not counted here, or None."""
    try:
        HardwareCounter(event).close()
    except Unavailable as error:
        return str(error)
    return None


@pytest.fixture
def task_clock():
    """A counter that every kernel has; where a container forbids all of them, the refusal is what is left to see."""
    if (reason := refusal(TASK_CLOCK)) is not None:
        pytest.skip(reason)
    counter = HardwareCounter(TASK_CLOCK)
    yield counter
    counter.close()


def test_a_counter_counts_what_the_thread_did_between_start_and_stop(task_clock):
    total, took = counted(task_clock, 2_000_000)
    assert 0.9 * took < total < 1.1 * took + 1e6


def test_a_counter_begins_at_zero_each_time_and_stands_still_when_stopped(task_clock):
    many, _ = counted(task_clock, 4_000_000)
    spin(4_000_000)
    few, took = counted(task_clock, 1000)
    assert few < 1.1 * took + 1e6 < many


def test_here_the_processor_counts_instructions_or_says_why_not():
    if (reason := refusal(INSTRUCTIONS)) is not None:
        assert "counter of instructions" in reason or "perf_event_paranoid" in reason
        return
    counter = HardwareCounter()
    double, single = (counted(counter, turns)[0] for turns in (2_000_000, 1_000_000))
    counter.close()
    assert double == pytest.approx(2 * single, rel=0.02)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            errno.ENOENT,
            "shows no counter of instructions (No such file or directory); most virtual",
        ),
        (errno.EACCES, "next: sysctl kernel.perf_event_paranoid=2"),
        (errno.EPERM, "a container may forbid it too"),
    ],
)
def test_a_refusal_is_one_sentence(error, words):
    assert words in why_not(error)


class Standing:
    """A counter that does not move, as some virtual machines show."""

    def start(self):
        pass

    def stop(self):
        return InstructionProfile(total=0)

    def close(self):
        pass


def test_a_counter_that_stays_at_zero_does_not_count(monkeypatch):
    monkeypatch.setattr(instruction_counter, "HardwareCounter", Standing)
    with pytest.raises(Unavailable, match="stays at zero"):
        find_hardware()


def test_where_the_processor_does_not_count_valgrind_does(monkeypatch):
    found = Valgrind(path="valgrind", version="3.19.0")
    monkeypatch.setattr(instruction_counter, "HardwareCounter", Standing)
    monkeypatch.setattr(instruction_counter, "find_valgrind", lambda: found)
    assert find_counter() is found


def test_where_neither_counts_both_reasons_are_told(monkeypatch):
    def missing():
        raise GateError("not installed; next: apt-get install valgrind")

    monkeypatch.setattr(instruction_counter, "HardwareCounter", Standing)
    monkeypatch.setattr(instruction_counter, "find_valgrind", missing)
    with pytest.raises(GateError, match=r"apt-get install valgrind\. The processor's own .* zero"):
        find_counter()
