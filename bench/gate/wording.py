"""Texts of a gate's result, shared by terminal, Markdown and HTML."""

from __future__ import annotations

import math
from typing import Final

from bench.gate.block import Block
from bench.gate.document import share
from bench.gate.outcome import Gate
from bench.gate.row import Cause, Exact, Row
from bench.gate.verdict import Verdict
from bench.gate.work import Growth
from bench.instruments.options import LATENCY
from bench.metrics import METRICS
from bench.stats import median
from bench.steps import step_name
from suite import units
from suite.axes import BACKENDS, DTYPES, ORIGINAL

MARKS: Final = {
    Verdict.REGRESSED: "✗",
    Verdict.IMPROVED: "▲",
    Verdict.NO_REGRESSION: "✓",
    Verdict.INCONCLUSIVE: "?",
}


def verdict_text(row: Row) -> str:
    """Return the row's verdict as text."""
    if row.broken:
        return "broken"
    if row.lost:
        return "not run any more"
    if row.skipped:
        return "not compared"
    if row.parity == "failed":
        return "other outputs"
    return row.verdict.value if row.verdict else "not timed"


def effect_text(row: Row) -> str:
    """Return how much slower head is, with one-sided bounds: `+5.1% (+4.2% to +6.0%)`."""
    found = row.finding
    if found is None or not row.is_timed:
        return ""
    text = units.percent(share(found.estimate), sign=True)
    if found.low is None or found.high is None:
        return text
    ends = (units.percent(share(end), sign=True) for end in (found.low, found.high))
    return f"{text} ({' to '.join(ends)})"


def work_text(row: Row) -> str:
    """Return by how much the instructions of a pass grew, with bounds: `+1.6% (+1.4% to +1.8%)`."""
    if row.work is None:
        return ""
    ends = (units.percent(end, sign=True) for end in (row.work.low, row.work.high))
    return f"{units.percent(row.work.growth, sign=True)} ({' to '.join(ends)})"


AGREEMENT: Final = {
    (Verdict.REGRESSED, Verdict.REGRESSED): "both witnesses agree: work grew by {}",
    (Verdict.INCONCLUSIVE, Verdict.REGRESSED): "work grew by {}; time cannot tell",
    (
        Verdict.NO_REGRESSION,
        Verdict.REGRESSED,
    ): "work grew by {}; time shows no slowdown of its own threshold",
    (Verdict.IMPROVED, Verdict.REGRESSED): "work grew by {}, and it is faster all the same",
    (Verdict.REGRESSED, Verdict.NO_REGRESSION): (
        "slower with the same work ({}): waiting for memory, caches, system calls, or other kernels on this processor"
    ),
    (Verdict.REGRESSED, Verdict.IMPROVED): (
        "slower with less work ({}): waiting for memory, caches, system calls, or other kernels on this processor"
    ),
    (Verdict.INCONCLUSIVE, Verdict.NO_REGRESSION): "time cannot tell; work did not grow ({})",
    (Verdict.INCONCLUSIVE, Verdict.IMPROVED): "time cannot tell; work shrank ({})",
}
"""Verdicts on time and on work -> what they say together; other pairs need no words."""


def witness_text(row: Row) -> str:
    """Return what both witnesses say of the row together; empty where there is nothing to say."""
    work = row.work
    if work is None or row.verdict is None:
        return row.work_note
    if work.is_operators:
        said = f"an operator grew; the pass as a whole by {work_text(row)}"
    elif work.verdict is Verdict.INCONCLUSIVE:
        either = " either" if row.verdict is Verdict.INCONCLUSIVE else ""
        said = f"work cannot tell{either}: {work_text(row)}"
    else:
        said = AGREEMENT.get((row.verdict, work.verdict), "").format(work_text(row))
    return said


def unsure_text(row: Row) -> str:
    """Return what of the row could not be judged."""
    said = [effect_text(row)] if row.verdict is Verdict.INCONCLUSIVE else []
    said += [row.skipped] if row.is_given_up else []
    is_work_open = row.work is not None and row.work.verdict is Verdict.INCONCLUSIVE
    said += [witness_text(row)] if is_work_open or row.has_work_failed else []
    said += [exact_text(e) for e in row.exact if e.verdict is Verdict.INCONCLUSIVE]
    return "; ".join(said)


def growth_lines(row: Row) -> list[str]:
    """Return where the instructions went, if the work grew: operators, then functions, largest first."""
    if row.work is None or not row.has_more_work:
        return []
    kinds = (("operator", row.work.operators), ("function", row.work.functions))
    return [_growth_line(kind, growth) for kind, found in kinds for growth in found]


def loss_text(row: Row, *, can_be_timed: bool = True) -> str:
    """Return what got worse in the row, by how much and how surely, as one sentence; empty if nothing did.

    Says nothing of time if the machine was too uneven for it.
    """
    said = []
    if row.broken or row.lost or row.parity == "failed":
        said.append(reason_text(row))
    is_slower = row.verdict is Verdict.REGRESSED and row.is_timed and can_be_timed
    if is_slower and row.finding is not None:
        least = share(row.finding.low) if row.finding.low is not None else None
        surely = f", at least {units.percent(least)} with 95% certainty" if least else ""
        said.append(f"{units.percent(share(row.finding.estimate))} slower{surely}")
    if row.work is not None and row.has_more_work:
        bounds = f"{units.percent(row.work.low)} to {units.percent(row.work.high)}"
        said.append(
            f"{units.percent(row.work.growth)} more instructions ({bounds} in every process)"
        )
    said += [exact_text(exact) for exact in row.worst_exact]
    return "; ".join(said)


def where_text(row: Row) -> str:
    """Return the row for a reader in a hurry: `cnn, tiny: ONNX Runtime on cpu, batch 1`."""
    cell = row.cell
    backend = BACKENDS[cell.backend].title if cell.backend in BACKENDS else cell.backend
    kind = "" if cell.dtype == DTYPES[0] else f", {cell.dtype}"
    variant = "" if cell.variant == ORIGINAL else f" {cell.variant}"
    step = "" if row.step == LATENCY else f", {step_name(row.step)}"
    place = f"{backend} on {cell.device}{kind}, batch {cell.batch}"
    return f"{cell.model}{variant}, {cell.size}: {place}{step}"


MAX_NAME: Final = 100
"""Characters of a function's name: those of templates go on for hundreds."""


def _growth_line(kind: str, growth: Growth) -> str:
    name = growth.name if len(growth.name) <= MAX_NAME else f"{growth.name[:MAX_NAME]}..."
    change = "new" if growth.share is None else units.percent(growth.share, sign=True)
    return (
        f"{kind} {name}: {units.shown(growth.base, '1')} → {units.shown(growth.head, '1')} instructions per pass"
        f" ({change}; {units.percent(growth.share_of_pass, sign=True)} of the pass)"
    )


def times_text(row: Row) -> str:
    """Return both arms' median times, base → head."""
    blocks = row.confirm or row.screen
    if not blocks or not row.is_timed:
        return ""
    sides = (median([b.base for b in blocks]), median([b.head for b in blocks]))
    return " → ".join(units.seconds(side) for side in sides)


def detectable_text(row: Row) -> str:
    """Return the smallest detectable slowdown, given this row's noise."""
    if row.detectable is None or not row.is_timed:
        return ""
    value = share(row.detectable)
    return "none" if value is None or not math.isfinite(value) else units.percent(value, sign=True)


def exact_text(exact: Exact) -> str:
    """Return the value in both arms: `parameters 101,770 → 104,823 (+3.0%)`."""
    name = METRICS[exact.metric].title if exact.metric in METRICS else exact.metric
    if exact.metric.startswith("quality"):
        return f"{name}: {exact.base:.4g} → {exact.head:.4g} ({exact.note})"
    values = " → ".join(units.shown(v, exact.unit) for v in (exact.base, exact.head))
    change = exact.share
    text = f"{name} {values}"
    if change is not None and abs(change) < 10:
        text += f" ({100 * change:+.3g}%)"
    return f"{text}, {exact.note}" if exact.note else text


def reason_text(row: Row) -> str:
    """Return why the row has no latency verdict, or why it needs care."""
    if row.parity in ("failed", "incomparable"):
        return f"parity: {row.parity_note}"
    return row.broken or row.lost or row.skipped


MAX_SKIPPED_NAMES: Final = 3


def skipped_lines(gate: Gate) -> list[str]:
    """Return why rows were not compared, one line per reason with the rows that it holds for."""
    reasons: dict[str, list[str]] = {}
    for row in gate.rows:
        if row.skipped:
            reasons.setdefault(row.skipped, []).append(row.name)
    lines = []
    for reason, names in reasons.items():
        shown = ", ".join(names[:MAX_SKIPPED_NAMES])
        more = f" and {len(names) - MAX_SKIPPED_NAMES} more" if names[MAX_SKIPPED_NAMES:] else ""
        lines.append(f"not compared, {reason}: {shown}{more}")
    return lines


def changed_facts(row: Row) -> list[Exact]:
    """Return the values that changed, worse ones first."""
    changed = [e for e in row.exact if e.verdict is not Verdict.NO_REGRESSION]
    return sorted(changed, key=lambda e: e.verdict is not Verdict.REGRESSED)


def cause_lines(cause: Cause) -> list[str]:
    """Return the causes, one line each, most likely first."""
    lines = []
    for row in cause.operators:
        calls = f"{row['base_calls']:g} → {row['head_calls']:g} calls"
        times = f"{units.seconds(row['base_seconds'])} → {units.seconds(row['head_seconds'])}"
        lines.append(f"{row['operator']}: {times}, {calls} per pass")
    lines += [f"graph: {cause.graph}"] if cause.graph else []
    lines += [f"changed files: {', '.join(cause.files)}"] if cause.files else []
    lines += [f"CUDA memory snapshot: {cause.snapshot}"] if cause.snapshot else []
    return [*lines, *cause.problems]


def control_text(gate: Gate) -> str:
    """Return the result of the negative control as a sentence."""
    moved = gate.control_shift
    if moved is not None:
        return (
            f"The negative control, the same work in both arms, moved by"
            f" {units.percent(share(moved.estimate), sign=True)}"
            f" in {moved.num_blocks} blocks: wait until this machine is calm, then run again"
        )
    return f"The negative control stood still ({len(gate.control)} blocks)" if gate.control else ""


def void_text(blocks: list[Block]) -> str:
    """Return how many pairs of turns were disturbed."""
    pairs, void = sum(b.num_pairs for b in blocks), sum(b.num_void for b in blocks)
    return f"{void} of {pairs} pairs of turns were disturbed" if pairs else ""


def _growth(row: Row) -> float:
    return row.work.growth if row.work else 0.0


def urgency(row: Row) -> tuple[int, float]:
    """Sort key of rows: what needs action comes first."""
    if row.is_broken:
        return 0, 0.0
    if row.has_exact_regression or row.verdict is Verdict.REGRESSED:
        return 1, -max(row.finding.estimate if row.finding else 0.0, _growth(row))
    if row.is_uncertain:
        return 2, 0.0
    if row.verdict is Verdict.IMPROVED:
        return 3, row.finding.estimate if row.finding else 0.0
    return 4 + bool(row.skipped), 0.0
