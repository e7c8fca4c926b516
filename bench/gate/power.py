"""Power of a number of blocks: the minimum detectable effect."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from bench.gate.signed_rank import hodges_lehmann

POWER: Final = 0.8
EFFICIENCY: Final = 3 / math.pi
"""Of the signed-rank test against Student's at normal noise. Source: Hodges and Lehmann, Annals of Mathematical
Statistics 27 (1956) 324-335."""


def spread_of(effects: Sequence[float]) -> float:
    """Return the standard deviation of block effects about their Hodges-Lehmann estimate; 0.0 for fewer than two."""
    if len(effects) < 2:
        return 0.0
    middle = hodges_lehmann(effects)
    return math.sqrt(math.fsum((e - middle) ** 2 for e in effects) / (len(effects) - 1))


def detectable(spread: float, num_blocks: int, *, least: float, alpha: float) -> float:
    """The smallest effect, in log units, that a test against `least` at `alpha` finds in `num_blocks` blocks of that
    spread with a probability of 80%; infinite where so few blocks cannot reach `alpha` at all.
    """
    from scipy import stats

    if 2.0**-num_blocks > alpha:
        return math.inf
    degrees = num_blocks - 1
    reach = float(stats.t.ppf(1 - alpha, degrees) + stats.t.ppf(POWER, degrees))
    return least + reach * spread / math.sqrt(num_blocks * EFFICIENCY)


def probability_bound(num_events: int, num_trials: int, confidence: float = 0.95) -> float:
    """The upper bound on a probability of which `num_events` were seen in `num_trials`; 1.0 for no trials.

    Source: Clopper and Pearson, Biometrika 26 (1934) 404-413.
    """
    from scipy import stats

    if num_events >= num_trials:
        return 1.0
    return float(stats.beta.ppf(confidence, num_events + 1, num_trials - num_events))
