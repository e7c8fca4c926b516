"""Doubts: reasons to distrust a measurement, derived from the measurement and its plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bench.machine_doubts import (
    Found,
    allocator_retried,
    busy_machine,
    emulated,
    oversubscribed,
    quota,
    swapped,
    throttled,
    two_speeds,
)
from bench.metrics import METRICS
from bench.plan import Plan
from bench.sample_doubts import (
    drifting,
    no_steady_state,
    short_rounds,
    wide_interval,
)
from suite.measurement import NO_FACTS, Measurement
from suite.results.measuring import PairedArm


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """One reason to distrust a measurement."""

    code: str
    """A row of DOUBTS."""
    summary: str
    """One sentence: the observation with its numbers."""
    advice: str
    """What to do about it under the plan."""
    questions: str
    """The figure that it puts in question, by its heading: p50, peak RSS ..."""
    is_of_run: bool = False
    """Whether it is about the machine, so that it is said once for the whole run."""


DOUBTS: Final[Mapping[str, Callable[[Measurement, Plan], Found]]] = {
    check.__name__: check
    for check in (
        throttled,
        quota,
        oversubscribed,
        emulated,
        busy_machine,
        no_steady_state,
        drifting,
        wide_interval,
        short_rounds,
        swapped,
        allocator_retried,
    )
}
"""Code -> check; causes before symptoms."""

DOUBTS_OF_TURNS: Final = {check.__name__: check for check in (two_speeds,)}
"""Code -> check that holds a measurement against the turns of the same cell."""

SYMPTOMS: Final = ("no_steady_state", "drifting", "wide_interval")
"""Doubts that a busy machine explains: where it is said, they are not said again."""
OF_RUN: Final = ("quota", "oversubscribed", "busy_machine", "two_speeds")
"""Doubts about the machine: the same for every cell, or for many."""
HEADINGS: Final = {"latency": "p50", "latency_device": "device p50"}
"""Metric -> heading of the figure that is shown for it, if that is not its title."""


def doubts(measurement: Measurement, plan: Plan) -> tuple[Doubt, ...]:
    """Return the reasons to distrust this measurement, in the order of DOUBTS."""
    # Most measurements are one number without facts, and every check asks for a fact.
    facts = measurement.facts
    if not measurement.samples or facts is NO_FACTS or facts == NO_FACTS:
        return ()
    found = {code: check(measurement, plan) for code, check in DOUBTS.items()}
    if found["busy_machine"]:
        found |= dict.fromkeys(SYMPTOMS)
    return _told(found, measurement.metric)


def doubts_of_turns(measurement: Measurement, arm: PairedArm) -> tuple[Doubt, ...]:
    """Return the reasons to distrust this latency that the cell's own turns give."""
    if not measurement.samples:
        return ()
    found = {code: check(measurement, arm) for code, check in DOUBTS_OF_TURNS.items()}
    return _told(found, measurement.metric)


def _told(found: Mapping[str, Found], metric: str) -> tuple[Doubt, ...]:
    title = METRICS[metric].title if metric in METRICS else metric
    return tuple(
        Doubt(
            code=code,
            summary=result[0],
            advice=result[1],
            questions=HEADINGS.get(metric, title),
            is_of_run=code in OF_RUN,
        )
        for code, result in found.items()
        if result
    )
