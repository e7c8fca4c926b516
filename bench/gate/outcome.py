"""The result of a gate: the value from which every output is rendered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from bench.gate.block import Block
from bench.gate.row import Row
from bench.gate.schedule import control_shift
from bench.gate.thresholds import Limits
from bench.gate.verdict import Exit, Finding, Verdict, exit_code

SCHEMA: Final = 1
"""Of verdict.json. 1: first version."""

SENTENCES: Final = {
    Exit.PASS: "no regression found",
    Exit.REGRESSED: "regressed",
    Exit.BROKEN: "head does not run, or is not the same function as base",
    Exit.CONTAMINATED: "contaminated: the same work took different times in the two arms; no speed can be believed",
    Exit.INCONCLUSIVE: "inconclusive rows, and --strict does not let them pass",
}


SAME: Final = (
    "same bytes, nothing to measure: no file that these cells may read differs (--anyway measures)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Description of one arm in the outputs."""

    label: str
    sha: str = ""
    """Commit: of base the one checked out, of head that of the working tree. Empty without git."""
    python: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    changed: tuple[str, ...] = ()
    """Files that differ between head and this arm."""
    uncommitted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The result of one gate."""

    gate_id: str
    base: Side
    head: Side
    rows: Sequence[Row]
    control: Sequence[Block]
    plan: str
    command: str
    started_at: str
    seconds: float
    fingerprint: str
    is_strict: bool = False
    notes: tuple[str, ...] = ()
    """Warnings about the run."""
    is_same: bool = False
    """Whether no file that a cell may read differs between the arms, so that nothing was measured."""

    @property
    def control_shift(self) -> Finding | None:
        """The negative control's finding if it shifted, else None."""
        return control_shift(self.control, least=Limits().least)

    @property
    def exit(self) -> Exit:
        """The exit code."""
        if self.is_same:
            return Exit.PASS
        compared = [row for row in self.rows if row.is_timed or row.is_broken or row.lost]
        return exit_code(
            is_broken=any(row.is_broken for row in self.rows) or not compared,
            has_control_shifted=self.control_shift is not None,
            verdicts=[
                *(row.verdict for row in self.rows if row.verdict is not None and row.is_timed),
                *(Verdict.INCONCLUSIVE for row in self.rows if row.is_uncertain),
            ],
            has_exact_regression=any(row.has_exact_regression for row in self.rows),
            is_strict=self.is_strict or self.has_no_work,
        )

    @property
    def has_no_work(self) -> bool:
        """True if instructions were to be counted, and of no row could be."""
        return any(row.has_work_failed for row in self.rows) and not any(
            row.work for row in self.rows
        )

    def with_verdict(self, verdict: Verdict) -> list[Row]:
        """Return the timed rows with that verdict."""
        return [row for row in self.rows if row.is_timed and row.verdict is verdict]

    @property
    def sentence(self) -> str:
        """The result in one sentence."""
        if self.is_same:
            return SAME
        code = self.exit
        if not any(row.is_timed or row.is_broken or row.lost for row in self.rows):
            return "nothing could be compared: no cell runs in both arms"
        said = SENTENCES[code]
        if code is Exit.INCONCLUSIVE and self.has_no_work:
            said = "no row's instructions could be counted, which --witness asks for"
        parts = [f"{len(self.with_verdict(v))} {v.value}" for v in Verdict if self.with_verdict(v)]
        exact = sum(len(row.worst_exact) for row in self.rows)
        lost = sum(bool(row.lost) for row in self.rows)
        broken = sum(row.is_broken for row in self.rows)
        more = sum(row.has_more_work for row in self.rows)
        parts += [f"{more} more work"] if more else []
        parts += [f"{exact} worse in a fact"] if exact else []
        parts += [f"{lost} not run any more"] if lost else []
        parts += [f"{broken} broken"] if broken else []
        unsure = sum(
            row.is_uncertain and row.verdict is not Verdict.INCONCLUSIVE for row in self.rows
        )
        parts += [f"{unsure} unsure in work or a fact"] if unsure else []
        skipped = sum(bool(row.skipped) for row in self.rows)
        parts += [f"{skipped} not compared"] if skipped else []
        return f"{said} ({', '.join(parts)})"

    def counts(self) -> dict[str, Any]:
        """Return verdict -> number of timed rows."""
        return {verdict.value: len(self.with_verdict(verdict)) for verdict in Verdict}
