"""Row: one cell under the gate, with all that was seen of it in both arms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.gate.block import Block
from bench.gate.thresholds import Limits
from bench.gate.verdict import Finding, Verdict
from suite.cell import Cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Exact:
    """One number that is not a matter of chance, in both arms."""

    metric: str
    unit: str
    base: float
    head: float
    limit: float
    """Share of base by which head may be worse; for quality: points, or percent."""
    verdict: Verdict
    note: str = ""

    @property
    def share(self) -> float | None:
        """head / base - 1, or None where base is 0."""
        return self.head / self.base - 1 if self.base else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What a confirmed regression is likely to come from."""

    operators: tuple[Mapping[str, Any], ...] = ()
    """Rows {operator, base_seconds, head_seconds, base_calls, head_calls}, per pass, largest difference first."""
    graph: str = ""
    """What differs between the two ONNX graphs, in one line."""
    files: tuple[str, ...] = ()
    """Changed files that this model may depend on."""
    snapshot: str = ""
    """CUDA memory snapshot of the head arm, a path in the gate's folder."""
    bisect: str = ""
    """A command that finds the commit."""
    problems: tuple[str, ...] = ()
    """What could not be looked at, and why."""


@dataclass(slots=True, kw_only=True)
class Row:
    """One cell."""

    cell: Cell
    limits: Limits
    parity: str = ""
    """passed, failed, incomparable, off; empty before it was looked at."""
    parity_note: str = ""
    exact: list[Exact] = field(default_factory=list)
    screen: list[Block] = field(default_factory=list)
    confirm: list[Block] = field(default_factory=list)
    finding: Finding | None = None
    """Of the blocks that the verdict rests on: the confirming ones, or where none were needed the screen's."""
    adjusted: float | None = None
    """P value of REGRESSED after Holm's correction."""
    detectable: float | None = None
    """Share that the plan's blocks would have shown in 4 of 5 runs, given the noise of this row."""
    verdict: Verdict | None = None
    """Of the latency; None when no speed was compared."""
    broken: str = ""
    """Why the head arm does not run; fails the gate."""
    skipped: str = ""
    """Why there is nothing to compare, where that is no failure."""
    lost: str = ""
    """Base ran this, head declares it as not to be run: fails the gate."""
    cause: Cause | None = None

    @property
    def is_timed(self) -> bool:
        """Whether speed is to be compared."""
        return not (self.broken or self.skipped or self.lost) and self.parity != "failed"

    @property
    def worst_exact(self) -> list[Exact]:
        """The exact numbers that regressed."""
        return [e for e in self.exact if e.verdict is Verdict.REGRESSED]

    @property
    def is_broken(self) -> bool:
        """Whether this row alone makes the gate end as broken."""
        return bool(self.broken) or self.parity == "failed"

    @property
    def has_exact_regression(self) -> bool:
        """Whether a fact got worse, a new skip included."""
        return bool(self.worst_exact or self.lost)
