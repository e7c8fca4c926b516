"""Doubts: reasons to distrust a measurement, derived from the measurement and its plan."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

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
from suite.record import Measurement, MeasurementFacts

SPREAD: Final = 0.05
"""Robust standard deviation of rounds (share of the median) above which they are noisy."""
WAITED: Final = 0.03
"""Share of the time that a thread was ready but not running, above which the machine was busy. An idle shared
machine had 0.4 to 2.7%; less shifts the median by less than the standard plan's target."""
VOID: Final = 1 / 3
"""Share of void rounds above which the machine was busy; fewer are replaced and only cost time. On an idle shared
machine the sentinel voids up to a quarter of the rounds."""
TREND_Z: Final = 1.96
"""Kendall's z of a trend that chance gives once in twenty runs."""
DRIFT_Z: Final = 3.29
"""Kendall's z of a trend that chance gives once in a thousand runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """One reason to distrust a measurement."""

    code: str
    """A row of DOUBTS."""
    summary: str
    """One sentence: the observation with its numbers."""
    advice: str
    """What to do about it under the plan."""


Found = tuple[str, str] | None
"""Summary and advice, or None without a doubt."""


def doubts(measurement: Measurement, plan: Plan) -> tuple[Doubt, ...]:
    """Return the reasons to distrust this measurement, in the order of DOUBTS."""
    if not measurement.samples:
        return ()
    found = ((code, check(measurement, plan)) for code, check in DOUBTS.items())
    return tuple(
        Doubt(code=code, summary=result[0], advice=result[1]) for code, result in found if result
    )


def throttled(measurement: Measurement, plan: Plan) -> Found:
    """The GPU reduced its clocks during the measurement."""
    reasons = measurement.facts.gpu_throttle
    if not reasons:
        return None
    return (
        f"the GPU held its clocks down while it was measured: {', '.join(reasons)}",
        "let it cool, look at its cooling and power supply, or lock its clocks (nvidia-smi -lgc)",
    )


def quota(measurement: Measurement, plan: Plan) -> Found:
    """The control group's CPU quota is smaller than the threads need."""
    facts = measurement.facts
    allowed = facts.quota_cores
    periods = facts.throttled_periods or 0
    threads = _threads(facts)
    if periods:
        return (
            f"the container's CPU quota ran out in {_many(periods, 'period')}, and the work was"
            " stopped until the next one",
            f"use at most {max(1, math.floor(allowed))} threads (--threads) or raise the quota"
            if allowed
            else "use fewer threads (--threads) or raise the quota",
        )
    if allowed and threads and threads > math.ceil(allowed):
        return (
            f"{threads} threads share a CPU quota of {allowed:g} cores",
            f"use --threads {max(1, math.floor(allowed))}, or raise the quota",
        )
    return None


def oversubscribed(measurement: Measurement, plan: Plan) -> Found:
    """There are more threads than available cores."""
    cores, threads = measurement.facts.available_cores, _threads(measurement.facts)
    if not cores or not threads or threads <= cores:
        return None
    return (
        f"{_many(threads, 'thread')} on {_many(cores, 'core')} wait for each other",
        f"use --threads {cores} or fewer",
    )


def busy_machine(measurement: Measurement, plan: Plan) -> Found:
    """Other processes used the machine."""
    facts = measurement.facts
    rounds, void = facts.num_rounds or 0, facts.void_rounds or 0
    waited = facts.wait_share or 0.0
    advice = "stop what else runs here, or measure on a machine of its own"
    if facts.are_voids_kept:
        return (
            f"{void} of {_many(rounds, 'round')} were disturbed, too many to leave out, so all of"
            f" them count ({_reasons(facts)})",
            advice,
        )
    if rounds and void > VOID * rounds:
        return (
            f"{void} of {_many(rounds, 'round')} were disturbed and replaced ({_reasons(facts)})",
            advice,
        )
    if waited > WAITED:
        return (
            f"a thread was ready but had no core for {units.percent(waited)} of the time",
            advice,
        )
    return None


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
        else f"{_many(len(measurement.samples), 'round')} give no interval"
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
        f"{_many(number, 'round')} cannot tell a p{100 * plan.tail:g}, which needs {wanted}",
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


def swapped(measurement: Measurement, plan: Plan) -> Found:
    """Part of the process was in swap, so resident memory understates its need."""
    amount = measurement.facts.swap_bytes or 0
    if not amount:
        return None
    return (
        f"{units.num_bytes(amount)} of the process were in swap: resident memory shows too little",
        "free some memory, or choose a smaller size or batch",
    )


def allocator_retried(measurement: Measurement, plan: Plan) -> Found:
    """The CUDA allocator had to free memory and retry."""
    retries = measurement.facts.num_alloc_retries or 0
    ooms = measurement.facts.num_ooms or 0
    if not retries and not ooms:
        return None
    return (
        f"the CUDA allocator ran short {_many(retries, 'time')} and failed {_many(ooms, 'time')}:"
        " the GPU was nearly full",
        "free the GPU of other processes, or choose a smaller batch",
    )


DOUBTS: Final[Mapping[str, Callable[[Measurement, Plan], Found]]] = {
    check.__name__: check
    for check in (
        throttled,
        quota,
        oversubscribed,
        busy_machine,
        no_steady_state,
        drifting,
        noisy,
        time_cap_reached,
        too_few_samples,
        short_rounds,
        swapped,
        allocator_retried,
    )
}
"""Code -> check; causes before symptoms."""


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


def _threads(facts: MeasurementFacts) -> int | None:
    found = facts.torch_threads if facts.threads is None else facts.threads
    return found if found is not None and found > 0 else None


def _reasons(facts: MeasurementFacts) -> str:
    counts = facts.void_reasons.items()
    return (
        ", ".join(f"{WORDS.get(name, name)} {number}x" for name, number in counts)
        or "reason unknown"
    )


WORDS: Final = {
    "sentinel": "machine speed strayed",
    "delayed": "a thread had no core",
    "preempted": "preempted",
    "major_fault": "read from disk",
    "quota": "CPU quota ran out",
    "gpu_throttled": "GPU clocks held down",
}
"""Disturbance -> text."""


def _harder(plan: Plan, why: str, otherwise: str) -> str:
    harder = next_harder_plan(plan.name)
    return f"use --plan {harder}: {why}" if harder else otherwise


def _many(number: float, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
