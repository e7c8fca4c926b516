"""Doubts about the samples of a measurement: too few, too noisy, still changing."""

from __future__ import annotations

import math
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
    samples_needed,
    thinned,
)
from suite import units
from suite.record import Measurement

SPREAD: Final = 0.05
"""Robust standard deviation of rounds (share of the median) above which they are noisy."""
TREND_Z: Final = 1.96
"""Kendall's z of a trend that chance gives once in twenty runs."""
DRIFT_Z: Final = 3.29
"""Kendall's z of a trend that chance gives once in a thousand runs."""


def no_steady_state(measurement: Measurement, plan: Plan) -> Found:
    """The warm-up ended at its cap, and later rounds were not flat either."""
    if measurement.facts.warmup_ended_because != "cap":
        return None
    # If the measured rounds were flat, the cap did no harm.
    samples = measurement.samples
    if len(samples) >= samples_needed(0.5):
        is_trending = abs(kendall_z(thinned(samples))) > TREND_Z
        if not is_trending:
            return None
    return (
        f"the warm-up reached its cap of {units.seconds(plan.warmup_seconds)} while the times were"
        " still changing",
        _harder(plan, "its warm-up is longer", "give the plan a longer warm-up"),
    )


def drifting(measurement: Measurement, plan: Plan) -> Found:
    """The times rose or fell over the run, by more than the target interval and more than by
    chance.
    """
    drift = _drift(measurement, plan)
    if not drift:
        return None
    direction = "slower" if drift > 0 else "faster"
    return (
        f"the passes got {units.percent(abs(drift))} {direction} from the first round to the last",
        "look for heat, a background job that starts or ends, or a model that keeps growing state"
        if drift > 0
        else _harder(plan, "its warm-up is longer", "give the plan a longer warm-up"),
    )


def noisy(measurement: Measurement, plan: Plan) -> Found:
    """The rounds have a large spread."""
    samples = measurement.samples
    middle = median(samples)
    if measurement.facts.num_rounds is None or len(samples) < 3 or not middle > 0:
        return None
    spread = NORMAL_MAD * mad(samples) / middle
    if spread <= SPREAD:
        return None
    return (
        f"the rounds spread by {units.percent(spread)} about their median",
        _harder(plan, "it takes more rounds", "measure on a quieter machine, or pin the cores"),
    )


def time_cap_reached(measurement: Measurement, plan: Plan) -> Found:
    """The time cap was reached before the interval was as narrow as the plan asks for."""
    if measurement.facts.stopped_because != "time_cap":
        return None
    width = relative_interval(measurement.samples)
    if width <= plan.target_interval:
        return None
    wanted = units.percent(plan.target_interval)
    known = (
        f"the median is known to ±{units.percent(width)}"
        if math.isfinite(width)
        else f"{units.plural(len(measurement.samples), 'round')} give no interval"
    )
    return (
        f"the time cap was reached: {known}, the plan {plan.name} asks for ±{wanted}",
        _harder(plan, "its cap is higher", "raise the plan's cap, or measure on a quieter machine"),
    )


def too_few_samples(measurement: Measurement, plan: Plan) -> Found:
    """There are too few rounds for the plan's percentile."""
    if measurement.facts.num_rounds is None or plan.tail is None:
        return None
    wanted, number = samples_needed(plan.tail), len(measurement.samples)
    if number >= wanted:
        return None
    return (
        f"{units.plural(number, 'round')} cannot tell a p{100 * plan.tail:g}, which needs {wanted}",
        _harder(plan, "it takes longer", "raise the plan's cap or choose a smaller size or batch"),
    )


def short_rounds(measurement: Measurement, plan: Plan) -> Found:
    """Rounds are so short that clock and loop overhead matter."""
    taken = measurement.facts.round_seconds
    target = measurement.facts.target_round_seconds
    if not taken or not target or taken >= 0.8 * target:
        return None
    return (
        f"a round lasted {units.seconds(taken)}, less than the {units.seconds(target)} that keep"
        " the clock's share below 0.1%",
        "the model got faster after its warm-up: "
        + _harder(plan, "its warm-up is longer", "give the plan a longer warm-up"),
    )


def _drift(measurement: Measurement, plan: Plan) -> float:
    """Return the change from the first round to the last as a share of the median; 0.0 if chance explains
    it.
    """
    if measurement.facts.num_rounds is None:
        return 0.0
    samples = thinned(measurement.samples)
    drift = relative_slope(samples) * (len(samples) - 1)
    is_real = abs(kendall_z(samples)) > DRIFT_Z and abs(drift) > 2 * plan.target_interval
    return drift if is_real else 0.0


def _harder(plan: Plan, why: str, otherwise: str) -> str:
    harder = next_harder_plan(plan.name)
    return f"use --plan {harder}: {why}" if harder else otherwise
