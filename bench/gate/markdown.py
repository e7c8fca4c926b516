"""The gate's result as GitHub-flavoured Markdown, for a pull request or a job summary."""

from __future__ import annotations

from typing import Final

from bench.gate.outcome import Gate
from bench.gate.row import Row
from bench.gate.verdict import Exit, Verdict
from bench.gate.wording import (
    MARKS,
    cause_lines,
    changed_facts,
    control_text,
    detectable_text,
    effect_text,
    exact_text,
    growth_lines,
    loss_text,
    reason_text,
    skipped_lines,
    times_text,
    urgency,
    verdict_text,
    where_text,
    witness_text,
    work_text,
)
from bench.output.markdown import code, fenced, line, safe
from suite import units

HEAD: Final = ("cell", "verdict", "slower by (95% bounds)", "base → head", "would see")
ALIGN: Final = (":--", ":--", "--:", "--:", "--:")
WORK_HEAD: Final = "more work by"
ICONS: Final = {
    Exit.PASS: "✅",
    Exit.REGRESSED: "❌",
    Exit.BROKEN: "❌",
    Exit.CONTAMINATED: "⚠️",
    Exit.INCONCLUSIVE: "⚠️",
}
MAX_SUMMARY: Final = 5
"""Most lines before the table: what a reviewer reads in ten seconds."""
MAX_ROWS: Final = 300
"""Most rows: a comment on a pull request holds 65,536 characters."""


def to_markdown(gate: Gate) -> str:
    """Return the Markdown, rows without changes folded; text of users is escaped and cannot mention anybody."""
    rows = sorted(gate.rows, key=urgency)
    news = [row for row in rows if urgency(row)[0] < 4]
    calm = [row for row in rows if urgency(row)[0] >= 4]
    blocks = [
        f"## {ICONS[gate.exit]} Gate: {safe(gate.sentence)}",
        f"{safe(gate.base.label)} → {safe(gate.head.label)} · plan {safe(gate.plan)}"
        f" · {units.seconds(gate.seconds)} · exit code {int(gate.exit)}",
    ]
    blocks += [f"> ⚠️ {safe(note)}" for note in gate.notes]
    if gate.control_shift is not None:
        blocks.append(f"> ⚠️ {safe(control_text(gate))}")
    blocks += _summary(news, can_be_timed=gate.control_shift is None)
    skipped = skipped_lines(gate)
    blocks += ["\n".join(f"- {safe(text)}" for text in skipped)] if skipped else []
    if news:
        blocks.append(_table(news[:MAX_ROWS]))
    blocks += [text for row in news[:MAX_ROWS] if (text := _explained(row))]
    if calm:
        title = f"{len(calm)} row{'' if len(calm) == 1 else 's'} without news"
        blocks.append(
            f"<details><summary>{title}</summary>\n\n{_table(calm[:MAX_ROWS])}\n\n</details>"
        )
    blocks.append(
        "<sub>REGRESSED: surely slower than the threshold. NO-REGRESSION: surely not slower than its clear margin."
        " INCONCLUSIVE: neither; <i>would see</i> is the slowdown that this row's noise would have let be found.</sub>"
    )
    return "\n\n".join(blocks) + "\n"


def _summary(rows: list[Row], *, can_be_timed: bool) -> list[str]:
    """Return what got worse, a line per row: by how much, how surely, the likely file, and the command for it alone."""
    worse = [(row, text) for row in rows if (text := loss_text(row, can_be_timed=can_be_timed))]
    lines = []
    for row, text in worse[:MAX_SUMMARY]:
        lines.append(f"- **{safe(where_text(row))}** — {safe(text)}")
        if row.cause and row.cause.files:
            lines.append(f"  - likely: {', '.join(safe(name) for name in row.cause.files[:3])}")
        if row.cause and row.cause.again:
            lines.append(f"  - again: {code(row.cause.again)}")
    if len(worse) > MAX_SUMMARY:
        lines.append(f"- and {len(worse) - MAX_SUMMARY} more below")
    return ["\n".join(lines)] if lines else []


def _table(rows: list[Row]) -> str:
    has_work = any(row.work for row in rows)
    lines = [line((*HEAD, *([WORK_HEAD] if has_work else []))), line((*ALIGN, *["--:"] * has_work))]
    for row in rows:
        verdict = row.verdict if row.is_timed else None
        mark = f"{MARKS[verdict]} " if verdict else ""
        name = f"{mark}{verdict_text(row)}"
        lines.append(
            line(
                (
                    code(row.name, in_table=True),
                    f"**{name}**" if verdict is Verdict.REGRESSED else name,
                    effect_text(row),
                    times_text(row),
                    detectable_text(row),
                    *([work_text(row)] if has_work else []),
                )
            )
        )
    return "\n".join(lines)


def _explained(row: Row) -> str:
    lines = [exact_text(e) for e in changed_facts(row)]
    if reason := reason_text(row):
        lines.insert(0, reason)
    if text := witness_text(row):
        lines.append(text)
    lines += growth_lines(row)
    if row.cause:
        lines += cause_lines(row.cause)
    if not lines:
        return ""
    text = f"**{code(row.name)}**\n\n" + "\n".join(f"- {safe(entry)}" for entry in lines)
    if row.cause and row.cause.bisect:
        text += f"\n\n{fenced(row.cause.bisect)}"
    return text
