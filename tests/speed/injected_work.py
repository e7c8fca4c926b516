"""Worker side. Counts a cell's pass as it is, and with a known share of instructions added; see witness.py."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat

from bench.instruments.garbage import paused_garbage_collector
from bench.instruments.instructions import PASSES, SHORT_PASS, count, counter_here, warm_up
from suite.backends.runnable import runnable_for

CALIBRATION = 20_000
"""Turns of the loop that is added, for the first look at what one of them takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InjectionOptions:
    """Options of this job."""

    percents: tuple[float, ...]
    num_counts: int = 5


def spin(turns):
    for _ in repeat(None, turns):  # numbers of a range above 256 would be made, and cost more
        pass


def run(job, emit):
    asked = job.read(InjectionOptions)
    counter = counter_here()
    subject = runnable_for(job, emit)

    def with_turns(turns):
        def call():
            subject.call()
            subject.synchronize()
            spin(turns)

        return call

    with subject.inference(), paused_garbage_collector():
        passes = PASSES if warm_up(with_turns(0)) < SHORT_PASS else 1
        warm_up(with_turns(10))
        nothing = count(counter, with_turns(0), 0).total

        def per_pass(turns):
            found = [count(counter, with_turns(turns), passes) for _ in range(asked.num_counts)]
            return [(one.total - nothing) / passes for one in found]

        plain = per_pass(0)
        middle = sorted(plain)[len(plain) // 2]
        spin(CALIBRATION)
        each = (count(counter, lambda: spin(CALIBRATION), 1).total - nothing) / CALIBRATION
        counts = {
            f"{percent:g}": per_pass(round(percent / 100 * middle / each))
            for percent in asked.percents
        }
    return {"result": {"counts": {"0": plain, **counts}, "passes": passes}}
