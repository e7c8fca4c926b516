"""The test behind a verdict: one-sided, exact, against a minimum effect; and Holm's correction over the rows."""

from __future__ import annotations

from collections.abc import Sequence


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


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p values, in the order given: at most alpha of them is wrong in a family with probability alpha.

    Source: Holm, Scandinavian Journal of Statistics 6 (1979) 65-70.
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [1.0] * len(p_values)
    highest = 0.0
    for place, index in enumerate(order):
        highest = max(highest, min(1.0, p_values[index] * (len(p_values) - place)))
        adjusted[index] = highest
    return adjusted
