"""Signed-rank statistics of a few block effects: location, one-sided bounds, exact tests, the correction for many rows.

No distribution is assumed but symmetry.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from bench.stats import median

ONE_SIDED: Final = 0.95


def walsh_averages(effects: Sequence[float]) -> list[float]:
    """(x_i + x_j) / 2 for all i <= j, sorted, in the effects' unit; raises ValueError for no effects."""
    if not effects:
        raise ValueError("Walsh averages of no effects; expected one or more blocks")
    return sorted((a + b) / 2 for i, a in enumerate(effects) for b in effects[i:])


def hodges_lehmann(effects: Sequence[float]) -> float:
    """The median of the Walsh averages: the shift that a signed-rank test finds most likely.

    Source: Hodges and Lehmann, Annals of Mathematical Statistics 34 (1963) 598-611.
    """
    return median(walsh_averages(effects))


def bound(effects: Sequence[float], side: str, confidence: float = ONE_SIDED) -> float | None:
    """Return the one-sided bound on the effect, `upper` or `lower`, at `confidence` or more; None with too few blocks
    (below 5 for 95%).

    The Wilcoxon test inverted: the (k+1)th Walsh average from that end, k the largest with P(W <= k) within
    1 - confidence. Source: Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, 3rd edition, section 3.3.
    """
    if side not in ("upper", "lower"):
        raise ValueError(f"side {side!r}; expected 'upper' or 'lower'")
    rank = _rank(len(effects), confidence)
    if rank is None:
        return None
    averages = walsh_averages(effects)
    return averages[-1 - rank] if side == "upper" else averages[rank]


@lru_cache(maxsize=256)
def _rank(num: int, confidence: float) -> int | None:
    """Return how many Walsh averages may be cut off at one end; None if there are too few blocks for a bound."""
    counts = signed_rank_counts(num)
    total, below = 2**num, 0
    for k, count in enumerate(counts):
        below += count
        if below / total > 1 - confidence + 1e-12:
            return k - 1 if k else None
    return len(counts) - 1


@lru_cache(maxsize=64)
def signed_rank_counts(num: int) -> tuple[int, ...]:
    """For w = 0 .. num (num + 1) / 2, the number of sign patterns of `num` blocks whose positive ranks add up to w."""
    counts = [1]
    for rank in range(1, num + 1):
        longer = counts + [0] * rank
        for w, count in enumerate(counts):
            longer[w + rank] += count
        counts = longer
    return tuple(counts)


def p_above(effects: Sequence[float], least: float) -> float:
    """P value of "the effect is at most `least`" against "it is larger"; 1.0 for no effects.

    Wilcoxon's signed-rank test on effects - least, exact: the distribution of the mid-ranks' sum over all signs, by
    convolution. An effect of just `least` has the lowest rank and speaks against; left out, as is usual, it would make
    a higher minimum easier to show. Source: Wilcoxon, Biometrics Bulletin 1 (1945) 80-83; the minimum effect as in
    Murphy and Myors, Journal of Applied Psychology 84 (1999) 234-248.
    """
    from scipy import stats

    shifted = [effect - least for effect in effects]
    ranks = [round(2 * rank) for rank in stats.rankdata([abs(value) for value in shifted])]
    seen = sum(rank for rank, value in zip(ranks, shifted, strict=True) if value > 0)
    counts = {0: 1}
    for rank in ranks:
        more: dict[int, int] = dict(counts)
        for total, count in counts.items():
            more[total + rank] = more.get(total + rank, 0) + count
        counts = more
    return sum(count for total, count in counts.items() if total >= seen) / float(2 ** len(ranks))


def p_below(effects: Sequence[float], most: float) -> float:
    """P value of "the effect is at least `most`" against "it is smaller"."""
    return p_above([-effect for effect in effects], -most)


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Return the p values adjusted for their number, in the order given.

    Of those at or below alpha a share of at most alpha is expected to be wrong; if nothing has changed, there is one
    with probability alpha at most. A correction that allows no wrong one beside right ones, such as Holm's, left half
    of the rows undecided where all of 48 were slower. Holds for independent and for positively dependent tests.
    Source: Benjamini, Hochberg, Journal of the Royal Statistical Society B 57 (1995) 289-300.
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i], reverse=True)
    adjusted = [1.0] * len(p_values)
    lowest = 1.0
    for place, index in enumerate(order):
        lowest = min(lowest, p_values[index] * len(p_values) / (len(p_values) - place))
        adjusted[index] = lowest
    return adjusted
