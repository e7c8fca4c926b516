"""Estimators and intervals: pure functions over floats, standard library only."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import combinations
from typing import Final

CONFIDENCE: Final = 0.95
NORMAL_MAD: Final = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation: 1 /
Phi^-1(3/4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with its interval, in the unit of the samples."""

    value: float
    low: float | None = None
    """Lower end of the interval; None with too few samples."""
    high: float | None = None
    num_samples: int = 1

    @property
    def relative_half_width(self) -> float | None:
        """Half the interval's width as a share of the value (0.014 = within 1.4%), or None
        without an interval.
        """
        if self.low is None or self.high is None or not self.value:
            return None
        return (self.high - self.low) / 2 / abs(self.value)


def quantile(values: Sequence[float], q: float) -> float:
    """Return the q-quantile by linear interpolation between order statistics (Hyndman and Fan's type 7,
    numpy's default).

    Raises ValueError for no values or q outside 0..1.
    """
    if not values:
        raise ValueError("quantile of no values; expected one or more samples")
    if not 0 <= q <= 1:
        raise ValueError(f"quantile {q!r} is outside 0..1")
    ordered = sorted(values)
    place = q * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    low, high = ordered[below], ordered[above]
    # Equal neighbours are returned as they are: low + 0 * (high - low) may round.
    return low if low == high else low + (place - below) * (high - low)


def median(values: Sequence[float]) -> float:
    """Return the 0.5-quantile; raises ValueError for no values."""
    return quantile(values, 0.5)


def mad(values: Sequence[float]) -> float:
    """Return the median absolute deviation from the median, unscaled; times NORMAL_MAD it estimates a
    standard deviation.
    """
    middle = median(values)
    return median([abs(value - middle) for value in values])


def theil_sen(values: Sequence[float]) -> float:
    """Theil-Sen slope: the median of the slopes between all pairs, per step; 0.0 for fewer than two
    values.

    Source: Sen, Journal of the American Statistical Association 63 (1968) 1379-1389.
    """
    if len(values) < 2:
        return 0.0
    return median([(b - a) / (j - i) for (i, a), (j, b) in combinations(enumerate(values), 2)])


def relative_slope(values: Sequence[float]) -> float:
    """Theil-Sen slope per step as a share of the median; 0.0 where the median is 0."""
    middle = median(values)
    return theil_sen(values) / abs(middle) if middle else 0.0


def kendall_z(values: Sequence[float]) -> float:
    """How far the values' trend is from none, in standard deviations: above 3.3 it is no chance.

    Mann-Kendall test, ties counted as no trend. Source: Kendall, Biometrika 30 (1938) 81-93.
    """
    n = len(values)
    if n < 3:
        return 0.0
    # Every value against those before it, which stand in order: n log n comparisons, not n squared.
    score, before = 0, list[float]()
    for value in values:
        if value == value:  # NaN is neither above nor below another
            place = bisect_left(before, value)
            score += place - (len(before) - bisect_right(before, value, place))
            before.insert(place, value)
    return score / math.sqrt(n * (n - 1) * (2 * n + 5) / 18)


def thinned(values: Sequence[float], most: int = 60) -> list[float]:
    """At most `most` values in the same order: the medians of equal stretches, for tests on
    pairs.
    """
    n = len(values)
    if n <= most:
        return list(values)
    return [median(values[i * n // most : (i + 1) * n // most]) for i in range(most)]


@lru_cache(maxsize=4096)
def interval_ranks(n: int, q: float, confidence: float = CONFIDENCE) -> tuple[int, int] | None:
    """Ranks (1-based) of the two order statistics of n samples that enclose the q-quantile, or None
    when n is too small.

    The number of samples below the quantile is binomial(n, q), so that P(X(low) <= quantile <=
    X(high)) is the sum of its probabilities from low to high - 1, whatever the distribution of
    X. The shortest such window with at least the asked confidence is taken; it depends on n and
    q alone, never on the samples.
    Source: David and Nagaraja, Order Statistics, 3rd edition, section 7.1.
    """
    if n < 2:
        return None
    top = min(max(math.floor((n + 1) * q), 1), n - 1)
    low = high = top
    mass = below = above = _binomial(n, top, q)
    odds = q / (1 - q)
    below *= top / (n - top + 1) / odds
    above *= (n - top) / (top + 1) * odds
    while mass < confidence:
        # The probabilities fall to both sides of their peak, so the larger neighbour is always the
        # right one to take.
        can_fall, can_rise = low > 1, high < n - 1
        if not can_fall and not can_rise:
            return None
        if can_fall and (below >= above or not can_rise):
            low -= 1
            mass += below
            below *= low / (n - low + 1) / odds
        else:
            high += 1
            mass += above
            above *= (n - high) / (high + 1) * odds
    return low, high + 1


def _binomial(n: int, k: int, q: float) -> float:
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(ways + k * math.log(q) + (n - k) * math.log1p(-q))


@cache
def samples_needed(q: float, confidence: float = CONFIDENCE) -> int:
    """Fewest samples that bound the q-quantile: 6 for the median (both sides), 29 for p90, 299
    for p99.
    """
    n = 2
    while interval_ranks(n, q, confidence) is None:
        n += 1
    return n


def percentile(
    values: Sequence[float], q: float, confidence: float = CONFIDENCE
) -> Estimate | None:
    """The q-quantile of the samples with its order-statistic interval.

    The median is given for any samples, without an interval for fewer than 6; another percentile
    is None when there are too few samples to bound it (p90: 29, p99: 299), for it would be a
    guess about the slowest sample.
    """
    if not values:
        return None
    if len(values) == 1:  # of most metrics there is one
        return Estimate(value=values[0], num_samples=1) if q == 0.5 else None
    ranks = interval_ranks(len(values), q, confidence)
    if ranks is None:
        return Estimate(value=median(values), num_samples=len(values)) if q == 0.5 else None
    ordered = sorted(values)
    return Estimate(
        value=quantile(ordered, q),
        low=ordered[ranks[0] - 1],
        high=ordered[ranks[1] - 1],
        num_samples=len(ordered),
    )


def relative_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> float:
    """Half the width of the median's interval as a share of the median; infinite without an
    interval.
    """
    found = percentile(values, 0.5, confidence)
    width = found.relative_half_width if found else None
    return math.inf if width is None else width
