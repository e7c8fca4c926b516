"""What a self-test found: which thresholds this machine supports, by each witness."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.gate.memory_control import MemoryCheck
from bench.gate.row import Row
from bench.gate.selftest_history import SelftestHistory, Tally
from bench.gate.thresholds import CLEAR, LATENCY, WORK, Limits
from bench.gate.verdict import Verdict
from bench.gate.work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """The result of one self-test, and of all self-tests of this environment."""

    this: SelftestHistory
    total: SelftestHistory
    detectable: Mapping[str, float]
    """Workload -> smallest slowdown (share) detected in 4 of 5 runs; from all self-tests of this environment."""
    threshold: float
    """The plan's threshold as a share."""
    memory: Sequence[MemoryCheck]
    has_control_shifted: bool
    rows: Sequence[Row] = ()
    note: str = ""
    work: Mapping[str, Work] = field(default_factory=dict)
    """Control model -> its work against that of its kind without more; empty where nothing was counted."""
    without: str = ""
    """Why instructions were not counted."""

    @property
    def supported_work(self) -> float | None:
        """The smallest threshold (share) on instructions that this machine supports: equal work stays below it."""
        same = [work for name, work in self.work.items() if percent_of(name) == 0]
        return max((max(work.high, -work.low) for work in same), default=None)

    @property
    def unseen(self) -> list[str]:
        """Control models whose additional work the counts did not show."""
        return [
            name
            for name, work in self.work.items()
            if percent_of(name) and work.verdict is not Verdict.REGRESSED
        ]

    @property
    def thresholds(self) -> str:
        """The smallest thresholds that this machine supports, as a table for pyproject.toml."""
        lines = ["[tool.vitals.thresholds]"]
        if math.isfinite(self.supported):
            clear = math.ceil(1000 * self.supported) / 10
            least = min(100 * Limits().shares[LATENCY], clear / 2)
            lines += [f'{LATENCY} = "{least:g}%"', f'{CLEAR} = "{clear:g}%"']
        if self.supported_work is not None:
            lines.append(f'{WORK} = "{math.ceil(1000 * self.supported_work) / 10:g}%"')
        return "\n".join(lines) + "\n"

    @property
    def supported(self) -> float:
        """The smallest threshold (share) that this machine supports for every workload."""
        return max(self.detectable.values(), default=math.inf)

    @property
    def missed(self) -> int:
        """Number of rows with 10% more work that were called NO-REGRESSION, which is always wrong."""
        return self.this.tallies.get(10, Tally()).passed

    @property
    def supports_plan(self) -> bool:
        """True if a gate under this plan is reliable on this machine."""
        return (
            self.supported <= self.threshold
            and not self.missed
            and not self.has_control_shifted
            and not self.this.tallies.get(0, Tally()).regressed
            and all(check.holds for check in self.memory)
            and not self.unseen
        )

    @property
    def sentence(self) -> str:
        """The result in one sentence."""
        if self.supports_plan:
            return f"this machine supports the plan's threshold of {100 * self.threshold:g}%"
        reasons = []
        if self.supported > self.threshold:
            can = f"{100 * self.supported:.1f}%" if math.isfinite(self.supported) else "none"
            reasons.append(
                f"its noise hides slowdowns below {can}, the plan asks for {100 * self.threshold:g}%:"
                f" set latency_clear to {can} or use a quieter machine or a harder plan"
            )
        if self.this.tallies.get(0, Tally()).regressed:
            reasons.append("unchanged work was called REGRESSED")
        if self.missed:
            reasons.append("10% more work was called NO-REGRESSION")
        if self.has_control_shifted:
            reasons.append("the negative control moved")
        reasons += [
            f"counts of instructions did not show the work of {name}" for name in self.unseen
        ]
        reasons += [f"{c.name} was not reported as it is" for c in self.memory if not c.holds]
        return f"this machine does not support the plan's threshold: {'; '.join(reasons)}"


def percent_of(name: str) -> int:
    """Return by how many percent a control model does more work than its kind."""
    return int(name.partition("-plus-")[2] or 0)
