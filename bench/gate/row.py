"""A row: one cell under the gate, with what was measured in both arms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.gate.block import Block
from bench.gate.thresholds import Limits
from bench.gate.verdict import Finding, Verdict
from bench.gate.work import Work
from bench.instruments.options import LATENCY
from suite.cell import Cell


def row_name(cell: Cell, step: str = LATENCY) -> str:
    """Return the name of a row: `mlp-tiny-eager-cpu-float32-b1`, `mlp-tiny-eager-cpu-float32-b1/training`."""
    return cell.id if step == LATENCY else f"{cell.id}/{step}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exact:
    """One value that is compared without a statistical test, in both arms."""

    metric: str
    unit: str
    base: float
    head: float
    limit: float
    """Share of base by which head may be worse; for quality points or percent."""
    verdict: Verdict
    note: str = ""

    @property
    def share(self) -> float | None:
        """head / base - 1, or None where base is 0."""
        return self.head / self.base - 1 if self.base else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Likely causes of a confirmed regression."""

    operators: tuple[Mapping[str, Any], ...] = ()
    """Rows {operator, base_seconds, head_seconds, base_calls, head_calls}, per pass, largest difference first."""
    graph: str = ""
    """What differs between the two ONNX graphs, in one line."""
    files: tuple[str, ...] = ()
    """Changed files that the model may depend on."""
    snapshot: str = ""
    """CUDA memory snapshot of the head arm, a path in the gate's folder."""
    bisect: str = ""
    """Command line that bisects to the commit."""
    again: str = ""
    """Command line that compares this cell alone again, from the repository's root."""
    problems: tuple[str, ...] = ()
    """What could not be examined, and why."""


@dataclass(slots=True, kw_only=True)
class Row:
    """One cell."""

    cell: Cell
    limits: Limits
    step: str = LATENCY
    """Step whose time is compared, see `bench.instruments.turn_subjects`; the cell's facts belong to its latency."""
    parity: str = ""
    """passed, failed, incomparable or off; empty before it is compared."""
    parity_note: str = ""
    exact: list[Exact] = field(default_factory=list)
    screen: list[Block] = field(default_factory=list)
    confirm: list[Block] = field(default_factory=list)
    finding: Finding | None = None
    """Summary of the blocks that decided: the confirming ones, or those of the screen if none were needed."""
    adjusted: float | None = None
    """P value of REGRESSED, corrected for the number of flagged rows."""
    detectable: float | None = None
    """Log ratio that the plan's blocks detect in 4 of 5 runs, given the noise of this row."""
    verdict: Verdict | None = None
    """Verdict on latency; None if it was not compared."""
    broken: str = ""
    """Why the head arm failed; fails the gate."""
    skipped: str = ""
    """Why there is nothing to compare, if that is not a failure."""
    is_given_up: bool = False
    """Whether it is skipped for what happened while it was timed."""
    lost: str = ""
    """Why head declares a cell unsupported that base ran; fails the gate."""
    cause: Cause | None = None
    work: Work | None = None
    """Instructions per pass; None where they were not counted."""
    work_note: str = ""
    """Why instructions that were asked for were not counted."""
    has_work_failed: bool = False
    """Whether counts of every row were asked for and those of this one, which could be had, are missing."""

    @property
    def name(self) -> str:
        """The cell's id, with the step behind it unless that is its latency."""
        return row_name(self.cell, self.step)

    @property
    def has_more_work(self) -> bool:
        """True if a pass surely takes more instructions than it may."""
        return self.work is not None and self.work.verdict is Verdict.REGRESSED

    @property
    def is_uncertain(self) -> bool:
        """True if time, work or a fact of a row that runs in both arms could not be judged."""
        judged = [self.verdict, self.work.verdict if self.work else None]
        judged += [exact.verdict for exact in self.exact]
        is_open = Verdict.INCONCLUSIVE in judged or self.has_work_failed
        return self.is_given_up or (self.is_timed and is_open)

    @property
    def is_timed(self) -> bool:
        """True if latency is compared."""
        return not (self.broken or self.skipped or self.lost) and self.parity != "failed"

    @property
    def worst_exact(self) -> list[Exact]:
        """The values that regressed."""
        return [e for e in self.exact if e.verdict is Verdict.REGRESSED]

    @property
    def is_broken(self) -> bool:
        """True if this row makes the gate end as broken."""
        return bool(self.broken) or self.parity == "failed"

    @property
    def has_exact_regression(self) -> bool:
        """True if a value or the work regressed or a cell was lost."""
        return bool(self.worst_exact or self.lost or self.has_more_work)
