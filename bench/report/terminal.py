"""Terminal form of the report: one table by model, the doubts, the failures, what to ship; plain when piped."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from bench.output.names import MARKS, NOT_REACHED, STYLES, backend_short, outcome_name, plural
from bench.report.generation_table import LEGEND, generation_table, lines_of
from bench.report.generation_words import generation_sentences
from bench.report.lane_tables import answer_lines, cause_lines, compilation_lines
from bench.report.layers_view import layer_lines
from bench.report.lifecycle_table import life_legend, life_table
from bench.report.table import table_of
from bench.steps import step_name
from bench.summary.headline import average, headline
from bench.summary.labels import (
    common_axes,
    doubts_of,
    followers_of,
    grouped,
    labels_of,
    ratio_legend,
    stage_name,
)
from bench.summary.machine import HEADLINE_PACKAGES
from bench.summary.model import Report
from bench.summary.quality_text import training_warnings
from bench.summary.ship import next_steps, ship_lines
from bench.summary.step_outcomes import outcome_counts
from suite import units

LISTED: Final = 40
"""Maximum number of listed cells that did not pass; the rest is counted, and the HTML has all."""


BREAKS: Final = 5
"""Most graph breaks that are listed of one lane; the HTML has more."""


def render_terminal(
    report: Report, console: Console, *, html: Path | None = None, is_brief: bool = False
) -> None:
    """Print the report; what matters most stands last, where a reader's eye and the prompt are.

    `html` is the path of the HTML report, if it was written. `is_brief`: the doubts in one line.
    """
    console.print()
    console.print(Text(" · ".join(_context(report)), style="dim"))
    for problem in report.problems:
        console.print(Text.assemble(("! ", "yellow"), problem))
    for caution in report.cautions:
        console.print(Text.assemble(("! ", "yellow"), caution))
    for finding in report.findings:
        if finding.level in ("error", "crash", "warn"):
            console.print(Text.assemble(("! ", "yellow"), finding.summary))
    if report.rows:
        table = table_of(report, console.width)
        if len(table.columns) > 1:  # a run of generation alone has nothing but names for it
            console.print(table)
            console.print(Text(_legend(report), style="dim"))
    if generated := lines_of(report):
        console.print(generation_table(generated, console.width))
        console.print(Text(LEGEND, style="dim"))
        for sentence in generation_sentences(report):
            console.print(Text(sentence))
    _print_lanes(report, console)
    if report.lives:
        console.print(life_table(report, console.width))
        console.print(Text(life_legend(report), style="dim"))
        for life in report.lives:
            for warning in training_warnings(life):
                console.print(Text.assemble(("! ", "yellow"), f"{life.model}: {warning}"))
            for line in layer_lines(life):
                console.print(Text(line))
    _print_foundations(report, console)
    (_print_doubts_line if is_brief else _print_doubts)(report, console)
    _print_unfinished(report, console)
    console.print()
    console.print(Text(headline(report), style="bold"))
    if text := average(report):
        console.print(Text(text))
    for line in ship_lines(report):
        console.print(Text(line))
    for told, command in next_steps(report):
        console.print(Text(f"{told}: {command}"), soft_wrap=True)
    console.print(_outcomes(report))
    if html is not None:
        place = (str(html), f"link {html.absolute().as_uri()}")
        console.print(Text.assemble("Report: ", place), soft_wrap=True)


def _context(report: Report) -> list[str]:
    machine = dict(report.machine)
    facts = [", ".join(common_axes(report)), machine.get("Processor", ""), machine.get("GPU", "")]
    threads = report.options.get("threads")
    if isinstance(threads, int) and threads:
        facts.append(plural(threads, "thread"))
    facts += [f"{name} {machine[name]}" for name in HEADLINE_PACKAGES if name in machine]
    return [fact for fact in (report.run_id, *facts) if fact]


def _legend(report: Report) -> str:
    parts = ["p50 with half of its 95% interval"]
    if any(row.speedups for row in report.rows):
        parts.append(ratio_legend(report))
    if any(lane.doubts for row in report.rows for lane in row.lanes):
        parts.append("? see the doubts below")
    return "; ".join(parts)


def _print_unfinished(report: Report, console: Console) -> None:
    groups = grouped(step for step in report.unfinished if step.outcome != NOT_REACHED)
    waiting = [step for step in report.unfinished if step.outcome == NOT_REACHED]
    followers = followers_of(report.unfinished)
    if not (groups or followers or waiting or report.excluded):
        return
    console.print()
    console.print(Text("Did not run, or did not pass", style="bold"))
    for group in groups[:LISTED]:
        step, style = group.first, STYLES.get(group.first.outcome, "")
        steps = ", ".join(step_name(name) for name in group.steps)
        console.print(
            Text.assemble(
                (f"  {MARKS.get(step.outcome, '?')} {outcome_name(step.outcome)}", style),
                f"  {step.cell} ({steps})",
                f" and {plural(len(group.cells) - 1, 'cell')} more" if group.cells[1:] else "",
            )
        )
        reason = _first_line(step.reason)
        if step.kind and step.kind not in ("gap", reason):
            reason = f"{step.kind}: {reason}" if reason else step.kind
        for line in (reason, step.url, step.log):
            if line:
                console.print(f"      {escape(line)}", style="dim", highlight=False)
        for finding in step.diagnosis:
            console.print(Text(f"      diagnosis: {finding.summary}"))
            for fix in finding.fixes[:2]:
                console.print(Text(f"      fix: {fix}", style="bold"))
    if len(groups) > LISTED:
        console.print(f"  ... and {len(groups) - LISTED} more; the HTML report lists them all")
    for follower in followers:
        style = STYLES.get(follower.outcome, "")
        text = f"  {plural(follower.num_steps, 'step')} had nothing to start from"
        mark = f"  {MARKS.get(follower.outcome, '?')} {outcome_name(follower.outcome)}"
        console.print(Text.assemble((mark, style), text))
        for model, own in follower.models[:LISTED]:
            console.print(Text(f"      {model}: {', '.join(map(stage_name, own))}", style="dim"))
    if waiting:
        cells = list(dict.fromkeys(step.cell for step in waiting))
        more = f" and {len(cells) - 4} more" if len(cells) > 4 else ""
        text = f"  {plural(len(waiting), 'planned step')} of {', '.join(cells[:4])}{more}"
        console.print(Text.assemble((f"  {MARKS[NOT_REACHED]} not reached", "dim"), text))
    for what, reason in report.excluded:
        console.print(Text.assemble(("  – left out", "dim"), f"  {what}: {reason}"))


def _print_lanes(report: Report, console: Console) -> None:
    """Print what compiling took, and the lanes that compute otherwise than their name says."""
    for one in compilation_lines(report):
        console.print(Text(f"{one.label}, {backend_short(one.backend)}: {one.text}"))
        for place in one.places[:BREAKS]:
            console.print(Text(f"    {place.what} {place.place}: {place.reason}"))
    labels = labels_of(report)
    for line in answer_lines(report):
        told = [line.fallen, line.verdict if line.holds is False else ""]
        for text in filter(None, told):
            where = f"{labels[line.row]}, {backend_short(line.backend)}"
            console.print(Text.assemble(("! ", "yellow"), f"{where}: {text}"))
    slow = cause_lines(report)
    for cause in slow[:LISTED]:
        where = f"{cause.label}, {backend_short(cause.backend)}"
        console.print(Text.assemble("why slow: ", (where, "bold"), f": {cause.text}"))
    if slow[LISTED:]:
        more = plural(len(slow) - LISTED, "lane")
        console.print(Text(f"why slow: {more} more in the HTML report", style="dim"))


def _print_foundations(report: Report, console: Console) -> None:
    """Print one line per device and dtype: how many known answers were correct."""
    if not report.foundations:
        return
    console.print()
    console.print(Text("Known answers", style="bold"))
    for place in dict.fromkeys((case.device, case.dtype) for case in report.foundations):
        ends = outcome_counts(
            case.step for case in report.foundations if (case.device, case.dtype) == place
        )
        text = Text.assemble(f"  {' '.join(place):<16}")
        for outcome, number in ends.items():
            words = f"{MARKS.get(outcome, '?')} {number} {outcome_name(outcome)}"
            text.append(words, STYLES.get(outcome, "")).append("   ")
        console.print(text)


def _first_line(text: str) -> str:
    line = text.strip().partition("\n")[0]
    return line if len(line) <= 300 else f"{line[:299]}…"


def _print_doubts(report: Report, console: Console) -> None:
    groups = doubts_of(report)
    if not groups:
        return
    console.print()
    console.print(Text("Doubts", style="bold"))
    for group in groups:
        names = [f"{label} {backend_short(backend)}" for _, label, backend in group.lanes]
        more = f" and {len(names) - 6} more" if len(names) > 6 else ""
        console.print(
            Text.assemble(
                ("  ? ", "yellow"), f"{group.summary} ", (", ".join(names[:6]) + more, "bold")
            )
        )
        for advice in group.advice:
            console.print(Text(f"      {advice}", style="dim"))


def _print_doubts_line(report: Report, console: Console) -> None:
    """Print e.g. `Doubts about 7 of 56 cells: noisy 5, drifting 2; each with its cure in the report.`"""
    groups = doubts_of(report)
    if not groups:
        return
    cells = {(row, backend) for group in groups for row, _, backend in group.lanes}
    total = sum(1 for row in report.rows for lane in row.lanes if lane.timing is not None)
    kinds = ", ".join(f"{group.code.replace('_', ' ')} {len(group.lanes)}" for group in groups)
    text = f"Doubts about {len(cells)} of {plural(total, 'cell')}: {kinds}; what to do is in the report."
    console.print()
    console.print(Text.assemble(("? ", "yellow"), text))


def _outcomes(report: Report) -> Text:
    """Return `✓ 171 passed   ✗ 3 failed ...` in the outcomes' colours."""
    text = Text()
    for outcome, number in report.totals.outcomes.items():
        words = f"{MARKS.get(outcome, '?')} {number} {outcome_name(outcome)}"
        text.append(words, STYLES.get(outcome, "")).append("   ")
    if report.seconds is not None:
        text.append(f"in {units.seconds(report.seconds)}", "dim")
    return text
