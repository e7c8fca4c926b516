"""Worker side. Warm-up: the number of iterations per round, and when rounds have become stable."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from bench.instruments.stopwatch import CLOCK, NS, Clock
from bench.plan import Plan
from bench.stats import relative_slope

TimeRound = Callable[[int], float]
"""Returns the seconds of a round of so many iterations."""

MIN_WINDOW: Final = 3
MAX_WINDOW: Final = 10
GROWTH: Final = 10
"""Largest growth of the iterations from one attempt to the next: the first calls are slow and misleading."""
LEAST: Final = 2
"""Fewest rounds, those just before included: the first alone may be slow for reasons of its own."""
LONG: Final = 1.0
"""Seconds of a call that is not made again only to see whether the next is shorter."""
SPARE: Final = 1.1
"""Factor above the target, so that rounds that become a little faster stay long enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmup:
    """Result of the warm-up."""

    samples: tuple[float, ...]
    """Seconds per iteration of every round, starting with those of the autorange."""
    iterations: int
    """Iterations per round from here on."""
    ended_because: str
    """flat (the rounds had stopped changing) or cap (time was up)."""


def warm_up(
    time_round: TimeRound,
    plan: Plan,
    target: float,
    *,
    clock: Clock = CLOCK,
    before: Sequence[float] = (),
) -> Warmup:
    """Run rounds until they are flat or the plan's cap is reached.

    `target` is the least duration of a round in seconds. Iterations per round are chosen first,
    then settled once more when the work is warm. Always runs at least one round, unless `before`, the seconds of single
    calls just before, are rounds already: a call of 6 s needs no more of its kind to be warm.
    """
    deadline = clock() * NS + plan.warmup_seconds
    samples: list[float] = []
    iterations = 1
    taken = min(before, default=0.0)
    if taken >= target:
        samples, deadline = [*before], deadline - sum(before)
    while taken < target:
        taken = time_round(iterations)
        samples.append(taken / iterations)
        if taken >= target:
            break
        wanted = math.ceil(SPARE * target / samples[-1]) if taken > 0 else iterations * GROWTH
        iterations = min(max(wanted, iterations + 1), iterations * GROWTH)
    window = min(max(int(plan.warmup_seconds / taken / 2), MIN_WINDOW), MAX_WINDOW)
    flat_from = 0 if samples == [*before] else len(samples) - 1
    ended = "cap"
    while clock() * NS < deadline or (len(samples) < LEAST and samples[0] < LONG):
        samples.append(time_round(iterations) / iterations)
        recent = samples[flat_from:][-window:]
        if len(recent) < window:
            continue
        if abs(relative_slope(recent)) <= plan.warmup_slope:
            ended = "flat"
            break
    # The fastest, so that rounds stay long enough when the machine was busy for some of these.
    warm = min(samples[flat_from:][-window:])
    return Warmup(
        samples=tuple(samples),
        iterations=max(iterations, math.ceil(target / warm)) if warm > 0 else iterations,
        ended_because=ended,
    )
