"""Plan: how hard a cell is measured, and the three plans to choose from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Self

from suite.worker.job_options import JobOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How hard one cell is measured; sent to the worker as JSON."""

    name: str
    round_seconds: float = 0.020
    """Shortest duration of a round, so that the clock and the scheduler's tick are small compared with
    it."""
    overhead_ratio: float = 1000.0
    """A round also lasts this many times the cost of reading the clock and synchronising."""
    warmup_seconds: float
    """Time cap of the warm-up; a doubt is raised if it is reached before rounds are flat."""
    warmup_slope: float = 0.005
    """The warm-up is over when the rounds change by less than this share per round."""
    min_rounds: int = 6
    """Fewest rounds; 6 are needed for a 95% order-statistic interval on the median."""
    tail: float | None
    """Highest wanted percentile (0.9, 0.99), or None; determines how many rounds are attempted."""
    target_interval: float = 0.02
    """Measuring ends when the 95% interval on the median is within this share of it, either way."""
    cap_seconds: float
    """Time cap of the measured rounds of one cell."""
    cap_stretch: float = 3.0
    """A slow cell may take this many caps to reach `min_rounds`, never more."""
    void_share: float = 0.75
    """Largest share of void rounds that are replaced."""
    cold_replicates: int
    """Fresh workers (and fresh interpreters) per cold metric."""
    memory_iterations: int
    """Iterations of the peak-RSS measurement."""
    leak_iterations: int = 20
    """Iterations over which the slope of live bytes is taken."""
    memory_seconds: float
    """Time cap of the leak iterations."""

    def __post_init__(self) -> None:
        for name in (
            "round_seconds",
            "warmup_seconds",
            "cap_seconds",
            "target_interval",
            "memory_seconds",
        ):
            if not getattr(self, name) > 0:
                raise ValueError(
                    f"plan {self.name!r}: {name} is {getattr(self, name)!r}; expected > 0"
                )
        for name in ("min_rounds", "cold_replicates", "memory_iterations", "leak_iterations"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"plan {self.name!r}: {name} is {getattr(self, name)!r}; expected 1 or more"
                )
        if self.tail is not None and not 0.5 < self.tail < 1:
            raise ValueError(
                f"plan {self.name!r}: tail is {self.tail!r}; expected 0.5 < tail < 1, or None"
            )

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as JSON-able data; `Plan.from_dict(plan.as_dict()) == plan`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the plan of `as_dict`; raises ValueError naming an unknown or missing field."""
        unknown = sorted(set(data) - {f.name for f in fields(cls)})
        if unknown:
            raise ValueError(
                f"plan has unknown fields {', '.join(unknown)}; was it made by another version?"
            )
        try:
            return cls(**data)
        except TypeError as error:
            raise ValueError(f"plan is incomplete: {error}") from error


PLANS: Final = {
    plan.name: plan
    for plan in (
        Plan(
            name="quick",
            warmup_seconds=0.15,
            tail=None,
            target_interval=0.05,
            cap_seconds=0.35,
            cold_replicates=1,
            memory_iterations=2,
            memory_seconds=0.5,
        ),
        Plan(
            name="standard",
            warmup_seconds=0.3,
            tail=0.9,
            target_interval=0.03,
            cap_seconds=1.0,
            cap_stretch=4.5,
            cold_replicates=1,
            memory_iterations=2,
            memory_seconds=1.0,
        ),
        Plan(
            name="rigorous",
            warmup_seconds=10.0,
            min_rounds=29,
            tail=0.99,
            target_interval=0.01,
            cap_seconds=30.0,
            cold_replicates=5,
            memory_iterations=5,
            memory_seconds=30.0,
        ),
    )
}
"""quick: rough numbers. standard: numbers to work with. rigorous: numbers to publish.

The times are those of one cell's own rounds; ratios have theirs in `bench.pairs.BUDGETS`."""


def plan_of(options: JobOptions) -> Plan:
    """Return the plan in a job's options; the standard plan if they have none."""
    return Plan.from_dict(options.plan) if options.plan else PLANS["standard"]


def next_harder_plan(name: str) -> str | None:
    """Return the name of the next more thorough plan, or None for the most thorough and for unknown names."""
    names = list(PLANS)
    if name not in names or name == names[-1]:
        return None
    return names[names.index(name) + 1]


HASTY: Final = ("quick",)
"""Plans in which what explains a number, and decides nothing, is not worth its seconds."""
