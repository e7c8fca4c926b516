"""Doubts: reasons to distrust a measurement, derived from the measurement and its plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bench.machine_doubts import (
    Found,
    allocator_retried,
    busy_machine,
    oversubscribed,
    quota,
    swapped,
    throttled,
)
from bench.plan import Plan
from bench.sample_doubts import (
    drifting,
    no_steady_state,
    noisy,
    short_rounds,
    time_cap_reached,
    too_few_samples,
)
from suite.record import Measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """One reason to distrust a measurement."""

    code: str
    """A row of DOUBTS."""
    summary: str
    """One sentence: the observation with its numbers."""
    advice: str
    """What to do about it under the plan."""


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


def doubts(measurement: Measurement, plan: Plan) -> tuple[Doubt, ...]:
    """Return the reasons to distrust this measurement, in the order of DOUBTS."""
    if not measurement.samples:
        return ()
    found = ((code, check(measurement, plan)) for code, check in DOUBTS.items())
    return tuple(
        Doubt(code=code, summary=result[0], advice=result[1]) for code, result in found if result
    )
