"""Doubts about the samples of a measurement: too noisy, still changing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from bench.machine_doubts import Found
from bench.plan import Plan, next_harder_plan
from bench.stats import (
    NORMAL_MAD,
    kendall_z,
    mad,
    median,
    relative_interval,
    relative_slope,
    thinned,
)
from suite import units
from suite.record import Measurement

WIDE: Final = 0.10
"""Half-width of the median's interval, as a share, above which p50 is only a rough figure. Ratios do not depend on it:
they are taken in turns."""
DRIFT: Final = 0.05
"""Change over the run, as a share of the median, that moves p50 by more than its interval says."""
SHORT: Final = 0.1
"""Share of the target below which a round is too short."""
TREND_Z: Final = 1.96
"""Kendall's z of a trend that chance gives once in twenty runs."""
DRIFT_Z: Final = 3.29
"""Kendall's z of a trend that chance gives once in a thousand runs."""


def no_steady_state(measurement: Measurement, plan: Plan) -> Found:
    """The warm-up ended at its cap, and the times went on changing by more than 5%."""
    if measurement.facts.warmup_ended_because != "cap":
        return None
    # If the measured rounds were flat, the cap did no harm.
    if abs(_change(measurement.samples)) <= DRIFT:
        return None
    if abs(kendall_z(thinned(measurement.samples))) <= TREND_Z:
        return None
    return (
        f"the warm-up reached its cap of {units.seconds(plan.warmup_seconds)} while the times were"
        " still changing",
        _harder(plan, "its warm-up is longer", "give the plan a longer warm-up"),
    )


def drifting(measurement: Measurement, plan: Plan) -> Found:
    """The times rose or fell over the run, by more than 5% and more than by chance."""
    samples = measurement.samples
    if measurement.facts.num_rounds is None or abs(kendall_z(thinned(samples))) <= DRIFT_Z:
        return None
    drift = _change(samples)  # of all pairs, so it is asked for only where there is a trend
    if abs(drift) <= DRIFT:
        return None
    direction = "slower" if drift > 0 else "faster"
    return (
        f"the passes got {units.percent(abs(drift))} {direction} from the first round to the last",
        "look for heat, a background job that starts or ends, or a model that keeps growing state"
        if drift > 0
        else _harder(plan, "its warm-up is longer", "give the plan a longer warm-up"),
    )


def wide_interval(measurement: Measurement, plan: Plan) -> Found:
    """The median is known to no better than 10%."""
    if measurement.facts.num_rounds is None:
        return None
    # Without an interval no width is shown, and nothing is there to be doubted.
    width = relative_interval(measurement.samples)
    if not math.isfinite(width) or width <= WIDE:
        return None
    spread = NORMAL_MAD * mad(measurement.samples) / median(measurement.samples)
    return (
        f"the median is known to ±{units.percent(width)}: the rounds spread by {units.percent(spread)}",
        _harder(plan, "it takes more rounds", "measure on a quieter machine, or pin the cores"),
    )


def short_rounds(measurement: Measurement, plan: Plan) -> Found:
    """Rounds are so short that the clock's own cost is more than 1% of them."""
    taken = measurement.facts.round_seconds
    target = measurement.facts.target_round_seconds
    if not taken or not target or taken >= SHORT * target:
        return None
    return (
        f"a round lasted {units.seconds(taken)}, a tenth of the {units.seconds(target)} that keep"
        " the clock's share below 0.1%",
        "the model got faster after its warm-up: "
        + _harder(plan, "its warm-up is longer", "give the plan a longer warm-up"),
    )


def _change(samples: Sequence[float]) -> float:
    """Return the change from the first round to the last as a share of the median."""
    few = thinned(samples)
    return relative_slope(few) * (len(few) - 1) if few else 0.0


def _harder(plan: Plan, why: str, otherwise: str) -> str:
    harder = next_harder_plan(plan.name)
    return f"use --plan {harder}: {why}" if harder else otherwise
