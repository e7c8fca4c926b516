"""Worker side. Takes the turns of a block with a known share of work added to every pass; see gate_recall.py.

How much of a kind of work takes that share of a pass is found in every process anew, by the thread's processor time:
first alone, then behind a pass, where the same work takes up to half as long again because the pass has displaced the
caches. A kind whose least unit takes more than the share is replaced by a loop. The arm that is left as it is does the
same and then adds an empty call.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from injected_work import kinds, loop, nothing

from bench.instruments import turns
from suite.backends.runnable import runnable_for

WARM_CALLS = 20
ROUNDS = 9
"""The fastest counts."""
ROUND_SECONDS = 0.002
CORRECTIONS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """Options of this job, beside those of the turns."""

    kind: str
    percent: float
    is_added: bool
    """Whether this arm does the work."""


def run(job, emit):
    asked = job.read(Injection)
    subject = runnable_for(job, emit)
    with subject.inference():
        for _ in range(WARM_CALLS):
            subject.call()
        work = fitted(subject.call, kinds()[asked.kind], asked.percent / 100)
    slowed = behind(subject.call, work if asked.is_added else nothing)
    return turns.run_subject(job, emit, replace(subject, call=slowed))


def behind(call, work):
    """Return the call with work behind it."""

    def both():
        found = call()
        work()
        return found

    return both


def seconds_of(call):
    """Seconds of the processor per call."""
    calls, fastest = 1, float("inf")
    for _ in range(ROUNDS):
        while (taken := timed(call, calls)) < ROUND_SECONDS:
            calls *= 2
        fastest = min(fastest, taken / calls)
    return fastest


def timed(call, calls):
    began = time.thread_time()
    for _ in range(calls):
        call()
    return time.thread_time() - began


def fitted(call, made, share):
    """Return work of the kind that takes that share of the call, as nearly as its size allows."""
    plain = seconds_of(behind(call, nothing))
    wanted = plain * share
    if seconds_of(made(1)) > wanted:
        made = loop
    size = alone(made, wanted)
    for _ in range(CORRECTIONS):
        added = seconds_of(behind(call, made(size))) - seconds_of(behind(call, nothing))
        factor = min(max(wanted / added if added > 0 else 2.0, 0.5), 2.0)
        size = max(1, round(size * factor))
    return made(size)


def alone(made, wanted):
    """Return the size of work that takes so many seconds when nothing else runs."""
    size, taken = 1, seconds_of(made(1))
    below, before = 0, 0.0
    while taken < wanted:
        below, before = size, taken
        size *= 2
        taken = seconds_of(made(size))
    part = (wanted - before) / max(taken - before, 1e-12)
    return max(1, below + round((size - below) * part))
