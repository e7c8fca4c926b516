"""Ratio of two arms that were timed in turns, with its interval: a pure function of the turns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.stats import CONFIDENCE, interval_ranks, median
from suite.results.measuring import PairedArm

MIN_PAIRS: Final = 3
"""Fewest pairs with an interval: one spread is known from two, but two can agree by chance."""
LEAST_UNDISTURBED: Final = 3
"""Fewest undisturbed pairs that count alone; with fewer of them all pairs count, for the rest would be an accidental
selection."""
CLOSE: Final = 1.05
"""Two arms whose ratio is within 1 / CLOSE and CLOSE have no difference that matters."""
PROCESS_SPREAD: Final = 0.02
"""Half-width, as a share, by which two fresh processes of equal code differ at 95%: the pairs of one sitting cannot
see it, because each arm has one process in it (addresses, alignment of buffers, placement of threads). The gate's
blocks at equal arms had standard deviations of 0.5 to 1.4%, see bench/instruments/turns.py."""
STRICT: Final = 0.99
"""Confidence with which a sitting ends early: it looks after every pass, and each look could be wrong."""

_STUDENT: Final = {
    CONFIDENCE: (4.303, 3.182, 2.776, 2.571, 2.447),
    STRICT: (9.925, 5.841, 4.604, 4.032, 3.707),
}
"""Confidence -> two-sided quantiles of Student's t for 2, 3, 4, 5 and 6 degrees of freedom."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedRatio:
    """How many times as fast as the reference an arm is."""

    value: float
    """Median over pairs of reference seconds / own seconds: above 1, the arm is faster."""
    low: float
    high: float
    num_pairs: int
    """Pairs that count."""
    num_void: int
    """Pairs that were disturbed."""

    @property
    def verdict(self) -> str:
        """See `verdict_of`."""
        return verdict_of(self.low, self.high)


def verdict_of(low: float | None, high: float | None) -> str:
    """Return `faster` or `slower` if the interval excludes 1, `same` if it holds 1 and is within 1 / CLOSE and CLOSE,
    else `few`: more pairs would tell.
    """
    if low is None or high is None:
        return "few"
    if low > 1:
        return "faster"
    if high < 1:
        return "slower"
    return "same" if low >= 1 / CLOSE and high <= CLOSE else "few"


def paired_ratio(
    reference: PairedArm, own: PairedArm, *, is_strict: bool = False
) -> PairedRatio | None:
    """Return the ratio of neighbouring turns with its 95% interval; None with fewer than MIN_PAIRS of them.

    Pairs with a disturbed turn are left out, whatever their times; with fewer than LEAST_UNDISTURBED left, all count
    but those with a starved turn. Strict: with the confidence of STRICT, and from undisturbed pairs alone.
    """
    num = min(len(reference.seconds), len(own.seconds))
    void = {*reference.void, *own.void}
    starved = {*reference.starved, *own.starved}
    kept = [i for i in range(num) if i not in void]
    if len(kept) < LEAST_UNDISTURBED:
        if is_strict:
            return None
        kept = [i for i in range(num) if i not in starved]
    logs = [
        math.log(reference.seconds[i] / own.seconds[i])
        for i in kept
        if reference.seconds[i] > 0 and own.seconds[i] > 0
    ]
    ends = log_interval(logs, STRICT if is_strict else CONFIDENCE)
    if ends is None:
        return None
    value = median([math.exp(log) for log in logs])
    middle = math.log(value)
    spread = math.log1p(PROCESS_SPREAD)
    low = middle - math.hypot(middle - ends[0], spread)
    high = middle + math.hypot(ends[1] - middle, spread)
    return PairedRatio(
        value=value,
        low=math.exp(low),
        high=math.exp(high),
        num_pairs=len(logs),
        num_void=sum(i < num for i in void),
    )


def usable_turns(arm: PairedArm) -> list[float]:
    """Return the seconds of the undisturbed turns of one arm; with too few of them, of all but the starved ones."""
    kept = [seconds for i, seconds in enumerate(arm.seconds) if i not in arm.void]
    if len(kept) < LEAST_UNDISTURBED:
        kept = [seconds for i, seconds in enumerate(arm.seconds) if i not in arm.starved]
    return kept


def log_interval(logs: Sequence[float], confidence: float) -> tuple[float, float] | None:
    """Return the interval on the median of these log ratios; None with fewer than MIN_PAIRS.

    Order statistics, which assume no distribution, from six values on (eight for 99%). Fewer are taken as normal:
    Student's t about their mean, which three values make wide: 2.5 standard deviations either way.
    """
    if len(logs) < MIN_PAIRS:
        return None
    ordered, middle = sorted(logs), median(logs)
    ranks = interval_ranks(len(logs), 0.5, confidence)
    if ranks is not None:
        return ordered[ranks[0] - 1], ordered[ranks[1] - 1]
    mean = math.fsum(logs) / len(logs)
    variance = math.fsum((value - mean) ** 2 for value in logs) / (len(logs) - 1)
    half = _STUDENT[confidence][len(logs) - MIN_PAIRS] * math.sqrt(variance / len(logs))
    return min(mean - half, middle), max(mean + half, middle)


def is_decided(reference: PairedArm, own: PairedArm) -> bool:
    """Return whether more pairs would not change the verdict: the strict interval excludes 1, or leaves no difference
    that matters.
    """
    strict = paired_ratio(reference, own, is_strict=True)
    return strict is not None and strict.verdict != "few"


def relative_width(reference: PairedArm, own: PairedArm) -> float:
    """Return half the interval's width as a share of the ratio; infinite with too few pairs."""
    found = paired_ratio(reference, own)
    return math.inf if found is None else (found.high - found.low) / 2 / found.value


def mean_ratio(
    ratios: Sequence[tuple[float, float, float]],
) -> tuple[float, float, float]:
    """Return the geometric mean of (value, low, high) and its interval, the errors of the ratios being independent.

    The interval is that of the mean over these models, not of models in general. Raises ValueError for no ratios.
    """
    if not ratios:
        raise ValueError("geometric mean of no ratios; expected one or more")
    num = len(ratios)
    logs = [tuple(map(math.log, ratio)) for ratio in ratios]
    middle = math.fsum(value for value, _, _ in logs) / num
    below = math.sqrt(math.fsum((value - low) ** 2 for value, low, _ in logs)) / num
    above = math.sqrt(math.fsum((high - value) ** 2 for value, _, high in logs)) / num
    return math.exp(middle), math.exp(middle - below), math.exp(middle + above)
