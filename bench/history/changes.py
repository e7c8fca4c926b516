"""Change points: shifts of the level of series, tested as one family. Pure functions.

Sources: hierarchical bisection, Matteson and James, JASA 109 (2014) 334-345 (E-divisive); the level
inside a selected series, Benjamini and Bogomolov, JRSS B 76 (2014) 297-318.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bench.stats import NORMAL_MAD, mad, median

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

MIN_VALUES: Final = 8
"""Fewest values of a series that is searched: 7 have too few permutations for a p-value below 5%."""
RATE: Final = 0.05
"""False discovery rate: share of false alarms among the series reported as changed."""
PERMUTATION_LIMITS: Final = (1_999, 100_000)
"""Fewest and most permutations of one search."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """Values that are compared with each other, oldest first."""

    values: Sequence[float]
    groups: Sequence[str] = ()
    """Origin (machine) of each value; empty = all from one."""
    least: float = 0.0
    """Smaller shifts of the level are not reported, in the unit of the values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """One change of level."""

    at: int
    """Index of the first value after it."""
    before: float
    """Median of the values back to the change before."""
    after: float
    """Median of the values up to the next change."""
    size: float
    """Shift of the level; within groups if it was found within groups that have values on both sides."""
    p_value: float
    """P-value of the search that found it."""
    is_within: bool = False
    """True if it was found within groups: a change of machine does not explain it."""


def find_shifts(tracks: Sequence[Track], rate: float = RATE) -> list[list[Shift]]:
    """Return the changes of every track, oldest first.

    The tracks with 8 values or more are one family: Benjamini-Hochberg over their first searches
    bounds the expected share of false alarms by `rate`. Both sides of a change are searched again, each at
    half of its level; the first search uses the level that selected the track.
    """
    tested = [i for i, track in enumerate(tracks) if len(track.values) >= MIN_VALUES]
    # Enough random orders that one changed series among unchanged ones can reach its level.
    orders = min(
        PERMUTATION_LIMITS[1], max(PERMUTATION_LIMITS[0], math.ceil(4 * len(tested) / rate))
    )
    first = {i: _search(tracks[i], orders) for i in tested}
    level = rejection_level([found.p_value for found in first.values()], rate)
    result: list[list[Shift]] = [[] for _ in tracks]
    for i, found in first.items():
        if found.p_value <= level:
            places = sorted(_bisected(tracks[i], found, 0, level, orders), key=lambda f: f.at)
            result[i] = _described(tracks[i], places)
    return result


def rejection_level(p_values: Sequence[float], rate: float = RATE) -> float:
    """Return the p-value up to which hypotheses are rejected at this false discovery rate; 0.0 for none.

    Source: Benjamini and Hochberg, JRSS B 57 (1995) 289-300.
    """
    levels = [rate * rank / len(p_values) for rank in range(1, len(p_values) + 1)]
    passed = (level for p, level in zip(sorted(p_values), levels, strict=True) if p <= level)
    return max(passed, default=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """The best split of one search."""

    at: int
    p_value: float
    is_within: bool


def _bisected(
    track: Track, found: _Found, begin: int, level: float, orders: int
) -> Iterator[_Found]:
    """Yield the change and those on either side of it; `begin` is the series index of the track's first value."""
    yield _Found(at=begin + found.at, p_value=found.p_value, is_within=found.is_within)
    for low, high in ((0, found.at), (found.at, len(track.values))):
        side = Track(
            values=track.values[low:high], groups=track.groups[low:high], least=track.least
        )
        if len(side.values) >= 2 * MIN_SIDE:
            inner = _search(side, orders)
            if inner.p_value <= level / 2:
                yield from _bisected(side, inner, begin + low, level / 2, orders)


def _search(track: Track, orders: int) -> _Found:
    """Return the best split and its p-value: over all values and, with several groups, also within groups."""
    at, p_value = best_split(track.values, orders=orders)
    is_within = True
    if len(set(track.groups)) > 1:
        centred = _centred(track.values, track.groups)
        at_within, p_within = best_split(centred, track.groups, orders=orders)
        is_within = p_within <= p_value
        # Two looks, of which the better counts: twice its p-value holds for both (Bonferroni).
        p_value = min(1.0, 2 * min(p_value, p_within))
        at = at_within if is_within else at
    return _Found(at=at, p_value=p_value, is_within=is_within)


def _centred(values: Sequence[float], groups: Sequence[str]) -> list[float]:
    """Return the values minus the median of their group."""
    middles = {
        name: median([v for v, g in zip(values, groups, strict=True) if g == name])
        for name in set(groups)
    }
    return [value - middles[group] for value, group in zip(values, groups, strict=True)]


def _described(track: Track, places: Sequence[_Found]) -> list[Shift]:
    """Return the changes at these splits, without those that shifted the level by less than the track's least."""
    ends = [0, *(found.at for found in places), len(track.values)]
    described = [
        Shift(
            at=found.at,
            before=median(track.values[ends[i] : found.at]),
            after=median(track.values[found.at : ends[i + 2]]),
            size=_size(track, ends[i], found.at, ends[i + 2], is_within=found.is_within),
            p_value=found.p_value,
            is_within=found.is_within,
        )
        for i, found in enumerate(places)
    ]
    smallest = min(described, key=lambda shift: abs(shift.size), default=None)
    if smallest is None or abs(smallest.size) >= track.least:
        return described
    # Its neighbouring levels become one without it, so the rest is evaluated again.
    return _described(track, [found for found in places if found.at != smallest.at])


def _size(track: Track, begin: int, at: int, end: int, *, is_within: bool) -> float:
    """Return the shift of the median at `at`: over all values, or within groups with both sides, weighted by size."""
    before, after = track.values[begin:at], track.values[at:end]
    moves = []
    for name in set(track.groups[begin:end]) if is_within else ():
        old = [v for v, g in zip(before, track.groups[begin:at], strict=True) if g == name]
        new = [v for v, g in zip(after, track.groups[at:end], strict=True) if g == name]
        if old and new:
            weight = len(old) * len(new) / (len(old) + len(new))
            moves.append((weight, median(new) - median(old)))
    if not moves:
        return median(after) - median(before)
    return sum(weight * move for weight, move in moves) / sum(weight for weight, _ in moves)


# Search for one change of level, and the p-value of its best split. Pure functions over floats.
#
# The search considers every split that leaves three values on either side and takes the one where the
# means of the two sides differ most (in standard errors). The best of many splits is always large, so it
# is compared with the best split of the same values in random order: the permutation test covers the
# entire search, and assumes nothing about the distribution of the noise. It assumes that without a change
# the values are exchangeable; a machine that gets slower for days violates that, which is why ratios to a
# sentinel are searched.
#
# Outliers (a run on a busy machine) are first winsorized at three robust standard deviations from the
# median. In a simulation with a step of 10%, 20 values, 12 before it, noise of 3% and one value in ten up to
# 2.2 times too high, the step was found in 51% of series instead of 27%; without outliers nothing is lost,
# and the false alarm rate stays the nominal one.
#
# Sources: the search, Sen and Srivastava, Annals of Statistics 3 (1975) 98-108; its permutation test,
# Matteson and James, JASA 109 (2014) 334-345 (E-divisive); sequential Monte Carlo p-values, Besag and
# Clifford, Biometrika 78 (1991) 301-304.

MIN_SIDE: Final = 3
"""Fewest values on either side of a change: one or two do not make a level."""
WINSOR_LIMIT: Final = 3.0
"""Robust standard deviations from the median at which values are winsorized."""
EXCEEDANCES: Final = 20
"""The test ends after this many better permutations: the p-value is large, whatever follows."""
BATCHES: Final = (50, 200, 1_000)
"""Permutations per batch: few at first, since most series end there."""


def best_split(
    values: Sequence[float], groups: Sequence[str] = (), *, orders: int
) -> tuple[int, float]:
    """Return the index of the first value after the best split, and its p-value over at most `orders` permutations.

    With groups (one name per value) values are permuted within their group only. The same values
    give the same p-value on every call. Raises ValueError for fewer than six values.
    """
    import numpy as np

    if len(values) < 2 * MIN_SIDE:
        raise ValueError(f"{len(values)} values leave no place with {MIN_SIDE} on either side")
    row = np.array(winsorized(values), dtype=float)
    scores = _scores(row[None, :])[0]
    best, at = float(scores.max()), MIN_SIDE + int(scores.argmax())
    if not best > 0:
        return at, 1.0
    names = np.array(groups if groups else [""] * len(row))
    parts = [np.flatnonzero(names == name) for name in sorted(set(names.tolist()))]
    dice = np.random.default_rng(zlib.crc32(row.tobytes()))
    done = num_better = 0
    while done < orders:
        size = BATCHES[0] if not done else BATCHES[1] if done < BATCHES[2] else BATCHES[2]
        mixed = np.tile(row, (min(size, orders - done), 1))
        for part in parts:
            mixed[:, part] = dice.permuted(mixed[:, part], axis=1)
        # Equal up to rounding counts as better.
        better = np.flatnonzero(_scores(mixed).max(axis=1) >= best * (1 - 1e-9))
        if num_better + len(better) >= EXCEEDANCES:
            return at, EXCEEDANCES / (done + int(better[EXCEEDANCES - num_better - 1]) + 1)
        num_better += len(better)
        done += len(mixed)
    return at, (num_better + 1) / (done + 1)


def winsorized(values: Sequence[float]) -> list[float]:
    """Return the values, limited to three robust standard deviations around their median."""
    middle, spread = median(values), WINSOR_LIMIT * NORMAL_MAD * mad(values)
    if not spread:
        return list(values)
    return [min(max(value, middle - spread), middle + spread) for value in values]


def _scores(rows: Array) -> Array:
    """For each row of n values, and each of its n - 5 places, how far the means of the two sides differ.

    |difference| times sqrt(k (n - k) / n), which orders places and rows as the t-statistic does, for
    a row in another order has the same total spread.
    """
    import numpy as np

    n = rows.shape[1]
    k = np.arange(MIN_SIDE, n - MIN_SIDE + 1)
    sums = np.cumsum(rows - rows.mean(axis=1, keepdims=True), axis=1)[:, k - 1]
    scores: Array = np.abs(sums) / np.sqrt(k * (n - k) / n)
    scores[scores <= 1e-12 * np.abs(rows).max()] = 0.0  # constant values, but for rounding
    return scores
