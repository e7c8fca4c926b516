"""Worker side. Rounds: takes samples, voids disturbed ones, and decides when there are enough."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from bench.instruments.counters import Counters, disturbances, longest_wait
from bench.instruments.sentinel import is_off
from bench.instruments.stopwatch import CLOCK, NS, Clock
from bench.plan import Plan
from bench.stats import relative_interval, samples_needed

FEW: Final = 3
"""Rounds of a cell so slow that the plan's `min_rounds` do not fit: four or five give its median no interval either,
and ratios come from turns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundary:
    """State of the machine between two rounds."""

    sentinel: float
    """Seconds of the sentinel workload."""
    counters: Counters


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One timed round with the machine before and after it."""

    seconds: float
    """Duration of the round."""
    before: Boundary
    after: Boundary


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """All rounds of one cell, and which of them count."""

    rounds: tuple[Round, ...]
    kept: tuple[bool, ...]
    """For each round: False if it is void."""
    reasons: tuple[tuple[str, ...], ...]
    """For each round its disturbances: sentinel, delayed, preempted, major_fault, quota,
    gpu_throttled."""
    stopped_because: str
    """interval (narrow enough) or time_cap."""

    @property
    def are_voids_kept(self) -> bool:
        """True if so many rounds were disturbed that too few would be left without them."""
        return any(reasons and kept for reasons, kept in zip(self.reasons, self.kept, strict=True))

    @property
    def num_void(self) -> int:
        """Number of disturbed rounds, kept or not."""
        return sum(map(bool, self.reasons))

    def reason_counts(self) -> dict[str, int]:
        """Return disturbance -> number of rounds."""
        return dict(Counter(name for reasons in self.reasons for name in reasons))

    def wait_share(self) -> float | None:
        """Return the share of the measured time that the most delayed thread waited in the run queue; None
        if not counted.
        """
        waits = [longest_wait(r.before.counters, r.after.counters) for r in self.rounds]
        total = sum(r.seconds for r in self.rounds)
        known = [wait for wait in waits if wait is not None]
        return sum(known) / total if known and total > 0 else None


def void_reasons(rounds: Sequence[Round]) -> tuple[tuple[str, ...], ...]:
    """Return the disturbances of each round. No rule compares the round's own duration with
    others.

    The sentinel is compared with its median over the run, so the result for a round can
    change as further rounds are taken.
    """
    readings = [r.before.sentinel for r in rounds] + [r.after.sentinel for r in rounds]
    off = is_off(readings)
    size = len(rounds)
    return tuple(
        (("sentinel",) if off[i] or off[size + i] else ())
        + disturbances(r.before.counters, r.after.counters, r.seconds)
        for i, r in enumerate(rounds)
    )


def rounds_wanted(plan: Plan, round_seconds: float) -> int:
    """Return the fewest rounds to take: enough for the plan's percentile, or for p90, if they fit its
    cap, else `min_rounds`.
    """
    for q in (plan.tail, 0.9):
        if plan.tail is None or q is None or q > plan.tail:
            continue
        wanted = samples_needed(q)
        if wanted * round_seconds <= plan.cap_seconds:
            return max(wanted, plan.min_rounds)
    return plan.min_rounds


def is_slow(plan: Plan, seconds: float) -> bool:
    """Return whether `min_rounds` rounds of so many seconds do not fit the plan's stretched cap."""
    return seconds * plan.min_rounds > plan.cap_seconds * plan.cap_stretch


def take_rounds(
    time_round: Callable[[], float],
    read_boundary: Callable[[], Boundary],
    plan: Plan,
    *,
    clock: Clock = CLOCK,
    between: Callable[[], None] = lambda: None,
) -> Rounds:
    """Take rounds until the interval on the median is within the plan's target, or its time cap is
    reached.

    `time_round` returns seconds, `read_boundary` reads the machine's state, `between` runs untimed after
    every round. Void rounds are replaced while they are at most `plan.void_share` of all; beyond that
    all rounds count, which raises a doubt.
    """
    started = clock() * NS
    taken: list[Round] = []
    before = read_boundary()
    check_at = plan.min_rounds
    while True:
        seconds = time_round()
        after = read_boundary()
        taken.append(Round(seconds=seconds, before=before, after=after))
        between()
        before = after
        elapsed = clock() * NS - started
        out_of_time = elapsed >= plan.cap_seconds and len(taken) >= plan.min_rounds
        out_of_time |= elapsed + seconds > plan.cap_seconds * plan.cap_stretch
        out_of_time |= len(taken) >= FEW and is_slow(plan, min(r.seconds for r in taken))
        if len(taken) < check_at and not out_of_time:
            continue
        # Not checked after every round, because the rules evaluate the entire run again.
        check_at = math.ceil(1.1 * len(taken))
        reasons = void_reasons(taken)
        kept = _kept(reasons, plan)
        samples = [r.seconds for r, keep in zip(taken, kept, strict=True) if keep]
        is_narrow = (
            len(samples) >= rounds_wanted(plan, sum(samples) / len(samples))
            and relative_interval(samples) <= plan.target_interval
        )
        if is_narrow or out_of_time:
            return Rounds(
                rounds=tuple(taken),
                kept=kept,
                reasons=reasons,
                stopped_because="interval" if is_narrow else "time_cap",
            )


def _kept(reasons: Sequence[tuple[str, ...]], plan: Plan) -> tuple[bool, ...]:
    good = tuple(not found for found in reasons)
    enough = sum(good) >= min(plan.min_rounds, len(good))
    return (
        good if enough and sum(good) >= (1 - plan.void_share) * len(good) else (True,) * len(good)
    )
