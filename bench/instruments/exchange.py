"""Worker side. What the gate's instruments exchange with their callers.

These instruments run with the `suite` of older source trees too, whose jobs and models have other classes. So of
`suite` they import nothing but functions that every version has, and options and results cross as JSON-able data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from bench.plan import PLANS, Plan
from diagnostics.codec import decode_as, encode

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnOptions:
    """What this instrument takes."""

    meeting: str
    """Path of the socket where the two arms meet."""
    begins: bool
    """Whether this arm has the first turn, and ends the block."""
    num_turns: int
    """Undisturbed turns wanted."""
    block_seconds: float
    """Cap on the time of the turns."""


def options_of(job: Any) -> Mapping[str, Any]:
    """Return the job's options as they crossed; in older source trees they are a mapping already."""
    options = job.options
    return options if isinstance(options, Mapping) else options.as_dict()


def read_options(job: Any, kind: type[T]) -> T:
    """Return the options that an instrument takes; raises ValueError naming the one that does not fit."""
    return decode_as(kind, dict(options_of(job)))


def plan_of(job: Any) -> Plan:
    """Return the plan of the job; the standard one if it has none."""
    plan = options_of(job).get("plan")
    return Plan.from_dict(plan) if plan else PLANS["standard"]


def output_with(result: Any, measurements: Any = ()) -> dict[str, Any]:
    """Return a result and its measurements as every version's worker sends them."""
    return {"result": encode(result), "measurements": encode(measurements)}
