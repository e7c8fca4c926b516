"""Worker side. Two or more callables timed against each other in one process, in turns.

The machine drifts (clock rates, neighbours, caches), and what is measured second meets another machine. Short turns in
the order A B B A give every callable its share of each moment, and a ratio of neighbours cancels what they have in
common.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import comb
from statistics import median
from typing import Any, Final

from suite.axes import is_accelerator
from suite.results.step_result import SpeedRatio

TURN: Final = 0.005
"""Seconds that a turn takes at least: 1000 times what reading the clock and starting a loop take."""

LEAST: Final = 6
"""Samples of each callable at least: from 6 on, the least and the greatest of them bound the median at 95 %."""

CONFIDENCE: Final = 0.95

Call = Callable[[], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """How two callables compare."""

    median: float
    """Of the ratios of neighbouring samples."""
    low: float
    high: float
    """Bounds of the median at 95 % or more, for ratios of any distribution: order statistics by the binomial."""
    num_pairs: int


def waiter(device: str) -> Callable[[], None]:
    """Return a function that waits until the device is idle; a call on a CPU is done when it returns."""
    if not is_accelerator(device):
        return lambda: None
    import torch

    return partial(torch.cuda.synchronize, device)


def alternate(
    calls: Mapping[str, Call],
    *,
    seconds: float,
    synchronize: Call = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds per call of each of `calls`, one sample a turn, equally many of each and at least 6.

    After two calls each to warm up, a turn repeats its callable for 5 ms or calls it once, whichever is longer. Turns
    go through `calls` forwards, then backwards, and so on until `seconds` have passed in turns; a callable's nth sample
    lies next to the others' nth. `synchronize` waits for the device and is part of every turn. Raises ValueError when
    `calls` is empty.
    """
    if not calls:
        raise ValueError("nothing to time: `calls` is empty")

    def turn(call: Call, iterations: int) -> float:
        synchronize()
        begin = clock()
        for _ in range(iterations):
            call()
        synchronize()
        return clock() - begin

    iterations = {}
    for name, call in calls.items():
        turn(call, 1)
        once = turn(call, 1)
        iterations[name] = max(1, round(TURN / once)) if once > 0 else 1000
    samples: dict[str, list[float]] = {name: [] for name in calls}
    spent, order, passes = 0.0, list(calls), 0
    while spent < seconds or passes < LEAST or passes % 2:
        for name in order:
            took = turn(calls[name], iterations[name])
            samples[name].append(took / iterations[name])
            spent += took
        order.reverse()
        passes += 1
    return samples


def ratio(samples_a: Sequence[float], samples_b: Sequence[float]) -> Ratio:
    """How many times longer A takes than B: the median of a/b over neighbouring samples, with an interval.

    Raises ValueError unless both have the same number of samples, at least 6: what `alternate` gives.
    """
    if len(samples_a) != len(samples_b) or len(samples_a) < LEAST:
        raise ValueError(
            f"{len(samples_a)} and {len(samples_b)} samples; expected equally many, at least {LEAST},"
            " taken in turns by `alternate`"
        )
    ratios = sorted(a / b for a, b in zip(samples_a, samples_b, strict=True))
    rank = _rank(len(ratios))
    return Ratio(
        median=median(ratios), low=ratios[rank], high=ratios[-1 - rank], num_pairs=len(ratios)
    )


def speed_ratio(reference: Sequence[float], samples: Sequence[float]) -> SpeedRatio:
    """How many times faster than `reference` the samples are, as a result keeps it; see `ratio`."""
    found = ratio(reference, samples)
    return SpeedRatio(ratio=found.median, low=found.low, high=found.high)


def _rank(count: int) -> int:
    """How many of `count` sorted values may be cut off at either end, so that the rest still bounds the median.

    The median lies below the (k+1)th smallest of n values with probability P(B <= k), B binomial (n, 1/2).
    """
    below, rank = 0.0, 0
    while True:
        below += comb(count, rank) / 2**count
        if 2 * below > 1 - CONFIDENCE:
            return max(0, rank - 1)
        rank += 1
