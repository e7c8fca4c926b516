"""Report as GitHub-flavoured Markdown, for pull requests and job summaries."""

from __future__ import annotations

import re
from typing import Final

from bench.output.markdown import line, safe
from bench.output.names import (
    MARKS,
    NOT_REACHED,
    backend_name,
    outcome_name,
    plural,
)
from bench.report.generation_table import generation_markdown
from bench.report.generation_words import generation_sentences
from bench.report.lane_tables import cause_lines
from bench.report.lifecycle_markdown import life_markdown
from bench.report.lifecycle_table import life_legend
from bench.steps import step_name
from bench.summary.headline import average, headline
from bench.summary.labels import (
    backends_of,
    common_axes,
    doubts_of,
    followers_of,
    grouped,
    labels_of,
    ratio_legend,
    ratio_text,
    stage_name,
)
from bench.summary.machine import HEADLINE_PACKAGES
from bench.summary.model import Lane, Report, Row
from suite import units
from suite.axes import REFERENCE

LISTED: Final = 60
"""Maximum number of listed cells that did not pass; the rest is counted: a job summary is limited to 1 MiB."""
ROWS: Final = 1_000


def to_markdown(report: Report) -> str:
    """Return the report as Markdown with a final newline; user text in it cannot become markup, links or mentions."""
    blocks = [f"## {headline(report)}", average(report), _context(report)]
    blocks += [f"> ⚠️ {safe(problem)}" for problem in (*report.problems, *report.cautions)]
    if report.rows:
        legend = f"{ratio_legend(report)}; " if ratio_legend(report) else ""
        blocks.append(_table(report))
        blocks.append(
            f"<sub>p50 with half of its 95% interval; {safe(legend)}"
            "peak RSS is the rise above the level before the passes.</sub>"
        )
    blocks += _slow(report)
    if generated := generation_markdown(report):
        blocks += [*generated, *map(safe, generation_sentences(report))]
    if report.lives:
        blocks += [life_markdown(report), f"<sub>{safe(life_legend(report))}</sub>"]
    blocks += _unfinished(report)
    blocks += _doubts(report)
    blocks.append(
        " · ".join(
            f"{MARKS.get(name, '?')} {number} {outcome_name(name)}"
            for name, number in report.totals.outcomes.items()
        )
    )
    return "\n\n".join(block for block in blocks if block) + "\n"


def _slow(report: Report) -> list[str]:
    """Return the first cause of every lane of which one is named."""
    found = cause_lines(report)
    lines = [
        f"- why slow: **{safe(f'{one.label}, {backend_name(one.backend)}')}** {safe(one.text)}"
        for one in found[:LISTED]
    ]
    if len(found) > LISTED:
        lines.append(f"- and {len(found) - LISTED} more")
    return ["\n".join(lines)] if lines else []


def _context(report: Report) -> str:
    machine = dict(report.machine)
    facts = [", ".join(common_axes(report)), machine.get("Processor"), machine.get("GPU")]
    facts += [f"{name} {machine[name]}" for name in HEADLINE_PACKAGES if name in machine]
    return " · ".join(safe(fact) for fact in (report.run_id, *facts) if fact)


def _table(report: Report) -> str:
    backends, labels = backends_of(report), labels_of(report)
    others = [name for name in backends if name != REFERENCE]
    heads = ["model", *(f"{backend_name(name)} p50" for name in backends)]
    heads += [
        "speed-up" if len(others) == 1 else f"{backend_name(name)} speed-up" for name in others
    ]
    heads += [f"{backend_name(name)} peak RSS" for name in backends]
    heads += ["parameters", "ONNX file", "parity"]
    aligns = [":--", *("--:" for _ in heads[2:]), ":--"]
    lines = [line(heads), line(aligns)]
    for row in report.rows[:ROWS]:
        cells = [safe(labels[row.id])]
        cells += [_latency(row, row.lane(name)) for name in backends]
        for name in others:
            speedup = next((s for s in row.speedups if s.backend == name), None)
            cells.append(ratio_text(speedup) if speedup else "")
        for name in backends:
            lane = row.lane(name)
            cells.append(units.num_bytes(lane.quantity("peak_rss_delta")) if lane else "")
        cells.append(units.scaled_count(row.parameters, ""))
        cells.append(units.num_bytes(row.graph.num_bytes) if row.graph else "")
        cells.append(safe(row.parity.verdict) if row.parity else "")
        lines.append(line(cells))
    if len(report.rows) > ROWS:
        lines.append(line([f"and {len(report.rows) - ROWS} more", *("" for _ in heads[1:])]))
    return "\n".join(lines)


def _latency(row: Row, lane: Lane | None) -> str:
    if lane is None:
        return ""
    if lane.timing is None:
        step = next((step for step in lane.steps if step.step == "latency"), None)
        return f"*{outcome_name(step.outcome)}*" if step else ""
    width = lane.timing.relative_half_width
    text = units.seconds(lane.timing.p50)
    text = f"**{text}**" if row.fastest == lane.backend else text
    return f"{text} {units.half_width(width)}".rstrip()


def _unfinished(report: Report) -> list[str]:
    groups = grouped(step for step in report.unfinished if step.outcome != NOT_REACHED)
    num_waiting = report.totals.outcomes.get(NOT_REACHED, 0)
    followers = followers_of(report.unfinished)
    if not (groups or followers or num_waiting or report.excluded):
        return []
    lines = []
    for group in groups[:LISTED]:
        step = group.first
        steps = ", ".join(step_name(name) for name in group.steps)
        reason = step.reason.strip().partition("\n")[0][:300]
        text = f"- {MARKS.get(step.outcome, '?')} **{outcome_name(step.outcome)}** {safe(step.cell)} ({safe(steps)})"
        text += f" and {plural(len(group.cells) - 1, 'cell')} more" if group.cells[1:] else ""
        lines.append(f"{text}: {safe(reason)}" if reason else text)
        if re.fullmatch(r"https?://[^\s<>()]+", step.url):
            lines[-1] += f" (<{step.url}>)"
    if len(groups) > LISTED:
        lines.append(f"- and {len(groups) - LISTED} more")
    for follower in followers:
        mark = f"- {MARKS.get(follower.outcome, '?')} **{outcome_name(follower.outcome)}**"
        models = "; ".join(
            f"{safe(model)}: {safe(', '.join(map(stage_name, own)))}"
            for model, own in follower.models[:LISTED]
        )
        count = plural(follower.num_steps, "step")
        lines.append(f"{mark} {count} had nothing to start from: {models}")
    if num_waiting:
        lines.append(
            f"- {MARKS[NOT_REACHED]} **not reached**: {plural(num_waiting, 'planned step')}"
        )
    lines += [f"- – left out: {safe(what)}: {safe(reason)}" for what, reason in report.excluded]
    return ["### Did not run, or did not pass", "\n".join(lines)]


def _doubts(report: Report) -> list[str]:
    groups = doubts_of(report)
    if not groups:
        return []
    lines = []
    for group in groups:
        advice = "; ".join(group.advice)
        names = ", ".join(safe(f"{label} {backend}") for _, label, backend in group.lanes[:8])
        more = f" and {len(group.lanes) - 8} more" if len(group.lanes) > 8 else ""
        lines.append(
            f"- {safe(group.summary)} {names}{more}" + (f": {safe(advice)}" if advice else "")
        )
    return ["<details><summary>Doubts</summary>", "\n".join(lines), "</details>"]
