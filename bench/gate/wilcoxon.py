"""The test behind a verdict: one-sided, exact, against a minimum effect; and Holm's correction over the rows."""

from __future__ import annotations

from collections.abc import Sequence


def p_above(effects: Sequence[float], least: float) -> float:
    """P value of "the effect is at most `least`" against "it is larger"; 1.0 for no effects.

    Wilcoxon's signed-rank test on effects - least, exact for up to 50 blocks without ties; zeros are dropped. Source:
    Wilcoxon, Biometrics Bulletin 1 (1945) 80-83; the minimum effect as in Murphy and Myors, Journal of Applied
    Psychology 84 (1999) 234-248.
    """
    import math

    from scipy import stats

    shifted = [effect - least for effect in effects if effect != least]
    if not shifted:
        return 1.0
    sizes = {abs(value) for value in shifted}
    if len(sizes) < len(shifted) and len(shifted) <= 20:
        return _with_ties(shifted)
    found = float(stats.wilcoxon(shifted, alternative="greater", method="exact").pvalue)
    return 1.0 if math.isnan(found) else found


def _with_ties(values: Sequence[float]) -> float:
    """The same for tied sizes: the ranks' distribution over all signs, by convolution of doubled mid-ranks."""
    from scipy import stats

    ranks = [round(2 * rank) for rank in stats.rankdata([abs(value) for value in values])]
    seen = sum(rank for rank, value in zip(ranks, values, strict=True) if value > 0)
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
