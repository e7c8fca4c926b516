"""Plan: how hard a cell is measured, and the three plans to choose from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How hard one cell is measured. JSON-able: it travels to the worker in
    `Job.options["plan"]`.
    """

    name: str
    round_seconds: float = 0.020
    """Least duration of a round, so that the clock and the scheduler's tick are small against
    it."""
    overhead_ratio: float = 1000.0
    """A round also lasts this many times the cost of reading the clock and synchronising."""
    warmup_seconds: float
    """Cap of the warm-up; reached before the rounds are flat, it leaves a doubt."""
    warmup_slope: float = 0.005
    """The warm-up is over when the rounds change by less than this share per round."""
    min_rounds: int = 6
    """Fewest rounds; 6 is the least that has a 95% order-statistic interval on the median."""
    tail: float | None
    """Highest percentile that is wanted (0.9, 0.99), or None; decides how many rounds are tried
    for."""
    target_interval: float = 0.02
    """Measuring ends when the 95% interval on the median is within this share of it, either way."""
    cap_seconds: float
    """Time cap of the measured rounds of one cell."""
    cap_stretch: float = 3.0
    """A slow cell may take this many caps to bring home `min_rounds`, never more."""
    void_share: float = 0.75
    """Replacements for void rounds are bounded by this share of all rounds."""
    cold_replicates: int
    """Fresh workers (and fresh interpreters) per cold metric."""
    memory_iterations: int
    """Iterations under the peak-RSS reading."""
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
        """The plan as JSON-able data; `Plan.from_dict(plan.as_dict()) == plan`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The plan that `as_dict` gave; raises ValueError naming an unknown or missing field."""
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
            warmup_seconds=0.8,
            tail=0.9,
            cap_seconds=2.2,
            cold_replicates=1,
            memory_iterations=2,
            memory_seconds=1.5,
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
"""quick: does it run, how fast roughly. standard: numbers to look at. rigorous: numbers to
publish."""


def next_harder_plan(name: str) -> str | None:
    """The next plan that measures harder than `name`, or None for the hardest and for a plan of
    one's own.
    """
    names = list(PLANS)
    if name not in names or name == names[-1]:
        return None
    return names[names.index(name) + 1]
