"""The gate's result in the terminal: one table, then causes and next steps."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

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
    reason_text,
    skipped_lines,
    times_text,
    urgency,
    verdict_text,
    void_text,
    witness_text,
    work_text,
)
from suite import units

STYLES: Final = {
    Verdict.REGRESSED: "bold red",
    Verdict.IMPROVED: "green",
    Verdict.NO_REGRESSION: "green",
    Verdict.INCONCLUSIVE: "yellow",
}
MAX_UNCHANGED: Final = 60
"""Most unchanged rows that are shown."""


def render(gate: Gate, console: Console, folder: Path | None = None) -> None:
    """Print the result; `folder` holds its files."""
    style = "bold green" if gate.exit is Exit.PASS else "bold red"
    console.print()
    console.print(Text(f"Gate: {gate.sentence}", style=style))
    facts = (
        f"{gate.base.label} → {gate.head.label}, plan {gate.plan}, {units.seconds(gate.seconds)}"
    )
    console.print(Text(facts, style="dim"))
    for note in gate.notes:
        console.print(Text.assemble(("! ", "yellow"), note))
    rows = sorted(gate.rows, key=urgency)
    news = [row for row in rows if urgency(row)[0] < 4]
    calm = [row for row in rows if urgency(row)[0] >= 4]
    if rows:
        console.print(_table([*news, *calm[:MAX_UNCHANGED]]))
    if len(calm) > MAX_UNCHANGED:
        console.print(
            f"... and {len(calm) - MAX_UNCHANGED} rows without news (verdict.json has all)"
        )
    for text in skipped_lines(gate):
        console.print(Text(text), soft_wrap=True)
    for row in news:
        _explain(row, console)
    if text := control_text(gate):
        console.print(Text(text, style="dim" if gate.control_shift is None else "bold red"))
    if text := void_text([b for r in gate.rows for b in (*r.screen, *r.confirm)]):
        console.print(Text(text, style="dim"))
    if folder is not None:
        page = folder / "verdict.html"
        place = (str(page), f"link {page.absolute().as_uri()}")
        console.print(Text.assemble("Verdict: ", place, " (and .json, .md)"), soft_wrap=True)


def _table(rows: list[Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("cell", overflow="fold")
    table.add_column("verdict")
    table.add_column("slower by (95% bounds)", justify="right")
    table.add_column("base → head", justify="right")
    if has_work := any(row.work for row in rows):
        table.add_column("more work by", justify="right")
    table.add_column("blocks", justify="right")
    table.add_column("would see", justify="right")
    for row in rows:
        verdict = row.verdict if row.is_timed else None
        style = STYLES[verdict] if verdict else "red" if row.is_broken or row.lost else "dim"
        mark = f"{MARKS[verdict]} " if verdict else ""
        num = len(row.confirm or row.screen)
        table.add_row(
            row.name,
            Text(f"{mark}{verdict_text(row)}", style=style),
            effect_text(row),
            times_text(row),
            *([work_text(row)] if has_work else []),
            str(num) if num and row.is_timed else "",
            detectable_text(row),
        )
    return table


def _explain(row: Row, console: Console) -> None:
    lines = [exact_text(e) for e in changed_facts(row)]
    if reason := reason_text(row):
        lines.insert(0, reason)
    if text := witness_text(row):
        lines.append(text)
    lines += growth_lines(row)
    if row.cause:
        lines += cause_lines(row.cause)
    if not lines:
        return
    console.print(Text(f"\n{row.name}", style="bold"))
    for text in lines:
        console.print(Text(f"  {text}"), soft_wrap=True)
    if row.cause and row.cause.bisect:
        console.print(Text("  find the commit:", style="dim"))
        console.print(Text(f"  {row.cause.bisect}"), soft_wrap=True)
