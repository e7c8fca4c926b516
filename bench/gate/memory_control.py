"""Known allocations, leaks and growth, and what the instruments report of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bench.gate import control_models as controls
from bench.gate.arm import Arm
from bench.gate.errors import GateError
from bench.gate.exact import compare_values, metric_values
from bench.gate.static_facts import FACTS
from bench.gate.thresholds import Limits
from bench.gate.verdict import Verdict
from bench.instruments.results import StaticFactsResult
from suite.cell import Cell

MEMORY_ERROR: Final = 0.02
"""Largest relative error in reporting a known allocation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryCheck:
    """One known difference in memory or size, and the reported value."""

    name: str
    expected: float
    reported: float | None
    unit: str
    is_flagged: bool
    """True if the gate would have failed on it."""
    tolerance: float

    @property
    def holds(self) -> bool:
        """True if it was flagged and reported within the tolerance."""
        if self.reported is None:
            return False
        return (
            self.is_flagged and abs(self.reported - self.expected) <= self.tolerance * self.expected
        )


def memory_checks(arms: Mapping[str, Arm]) -> list[MemoryCheck]:
    """Measure the known allocation, leak and growth, each against a model without it."""
    names = ("modest", "greedy", "leaky", "narrow", "wide")
    values = {name: _values(arms["head"], name) for name in names}
    grown = 17 * (controls.WIDER - controls.WIDTH)
    cases = (
        (
            "an allocation of 200 MB",
            "modest",
            "greedy",
            "peak_rss_delta",
            controls.ALLOCATION,
            MEMORY_ERROR,
        ),
        (
            "the tensors of that allocation",
            "modest",
            "greedy",
            "peak_tensor_bytes",
            controls.ALLOCATION,
            MEMORY_ERROR,
        ),
        ("a leak of 1 MB per pass", "modest", "leaky", "leak", controls.LEAK, 0.05),
        ("3% more parameters", "narrow", "wide", "parameters", grown, 0.0),
    )
    found = []
    for name, base, head, metric, expected, tolerance in cases:
        exact = [
            e for e in compare_values(values[base], values[head], Limits()) if e.metric == metric
        ]
        found.append(
            MemoryCheck(
                name=name,
                expected=expected,
                reported=exact[0].head - exact[0].base if exact else None,
                unit=exact[0].unit if exact else "B",
                is_flagged=bool(exact) and exact[0].verdict is Verdict.REGRESSED,
                tolerance=tolerance,
            )
        )
    return found


def _values(arm: Arm, model: str) -> dict[str, tuple[str, float]]:
    record = arm.session.attempt(
        control_cell(model), "memory", runner=FACTS, result=StaticFactsResult, label="facts"
    )
    if not record.outcome.has_run:
        reason = record.failure.message if record.failure else record.outcome.value
        raise GateError(f"the control {model} does not run: {reason}; next: python -m diagnostics")
    return metric_values([record])


def control_cell(model: str) -> Cell:
    """Return the cell of a control model: the default backend, on the CPU."""
    return Cell(model=model, size="tiny")
