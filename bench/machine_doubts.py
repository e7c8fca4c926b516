"""Doubts about the machine: what else it did while a measurement was taken."""

from __future__ import annotations

import math
from typing import Final

from bench.paired_ratio import LEAST_UNDISTURBED, usable_turns
from bench.plan import Plan
from bench.stats import percentile
from suite import units
from suite.record import Measurement, MeasurementFacts
from suite.results.measuring import PairedArm

WAITED: Final = 0.03
"""Share of the time that a thread was ready but not running, above which the machine was busy. An idle shared
machine had 0.4 to 2.7%; less shifts the median by less than the standard plan's target."""
VOID: Final = 1 / 3
"""Share of void rounds above which the machine was busy; fewer are replaced and only cost time. On an idle shared
machine the sentinel voids up to a quarter of the rounds."""

APART: Final = 1.25
"""Ratio of a cell's median in turns to that of its own rounds above which, either way, the machine ran at two speeds:
both are the same work. On a virtual machine of two cores, passes of two threads took 1.0 or 1.75 times as long for
seconds at a time, while those of one thread stayed as they were."""

Found = tuple[str, str] | None
"""Summary and advice, or None without a doubt."""

WORDS: Final = {
    "sentinel": "machine speed strayed",
    "starved": "a thread had less than 80% of a core",
    "delayed": "a thread had no core",
    "preempted": "preempted",
    "major_fault": "read from disk",
    "quota": "CPU quota ran out",
    "gpu_throttled": "GPU clocks held down",
}
"""Disturbance -> text."""


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
            f"the container's CPU quota ran out in {units.plural(periods, 'period')}, and the work was"
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
        f"{units.plural(threads, 'thread')} on {units.plural(cores, 'core')} wait for each other",
        f"use --threads {cores} or fewer",
    )


def emulated(measurement: Measurement, plan: Plan) -> Found:
    """The CPU has no instructions for the cell's dtype, and computes it by detours."""
    lack = measurement.facts.emulated
    if not lack:
        return None
    return (
        f"{lack}, so that it is computed by detours: another CPU's ratio is another one",
        "measure this dtype on a CPU that has it, or take float32 or int8 here",
    )


def busy_machine(measurement: Measurement, plan: Plan) -> Found:
    """Other processes used the machine."""
    facts = measurement.facts
    rounds, void = facts.num_rounds or 0, facts.void_rounds or 0
    waited = facts.wait_share or 0.0
    advice = "stop what else runs here, or measure on a machine of its own"
    if facts.are_voids_kept:
        return (
            f"{void} of {units.plural(rounds, 'round')} were disturbed, too many to leave out, so all of"
            f" them count ({_reasons(facts)})",
            advice,
        )
    if rounds and void > VOID * rounds:
        return (
            f"{void} of {units.plural(rounds, 'round')} were disturbed and replaced ({_reasons(facts)})",
            advice,
        )
    if waited > WAITED:
        return (
            f"a thread was ready but had no core for {units.percent(waited)} of the time",
            advice,
        )
    return None


def two_speeds(measurement: Measurement, arm: PairedArm) -> Found:
    """The same passes took another time in turns: the machine changed its speed between the two."""
    turns = usable_turns(arm)
    rounds, taken = percentile(measurement.samples, 0.5), percentile(turns, 0.5)
    if rounds is None or taken is None or len(turns) < LEAST_UNDISTURBED:
        return None
    ratio = taken.value / rounds.value
    if 1 / APART <= ratio <= APART:
        return None
    low, high = taken.low or min(turns), taken.high or max(turns)
    if low <= (rounds.high or rounds.value) and high >= (rounds.low or rounds.value):
        return None  # the two overlap: noise
    return (
        f"a pass took {units.seconds(rounds.value)} in its own rounds and {units.seconds(taken.value)} in turns",
        "go by the ratios; for times of one speed pin the cores, or measure on a machine whose cores are not"
        " moved about (threads of a virtual machine meet faster when its cores are neighbours)",
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
        f"the CUDA allocator ran short {units.plural(retries, 'time')} and failed {units.plural(ooms, 'time')}:"
        " the GPU was nearly full",
        "free the GPU of other processes, or choose a smaller batch",
    )


def _threads(facts: MeasurementFacts) -> int | None:
    found = facts.torch_threads if facts.threads is None else facts.threads
    return found if found is not None and found > 0 else None


def _reasons(facts: MeasurementFacts) -> str:
    counts = facts.void_reasons.items()
    return (
        ", ".join(f"{WORDS.get(name, name)} {number}x" for name, number in counts)
        or "reason unknown"
    )
