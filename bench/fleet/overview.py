"""The fleet's one report: a row per cell, a column per kind of machine, and a link to the page of each kind.

A column's seconds are those of its machine and are never set against another column's: what may be compared are ratios,
each taken in turns on one machine.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from bench.fleet.state import PAGE, SUMMARY, FleetFile
from bench.output.markdown import line, safe
from bench.output.names import backend_name, outcome_name
from bench.output.page import style_of, templates_in
from bench.summary.labels import labels_of, ratio_text
from bench.summary.model import Lane, Report, Row
from diagnostics.atomic_write import write_whole
from suite import units

TEMPLATES: Final = Path(__file__).with_name("templates")
RULE: Final = (
    "Every column is one kind of machine: its seconds are compared with nothing outside of it."
    " Speed-ups were taken in turns on the same machine, and are what may be set side by side."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One cell on one kind of machine."""

    latency: str = ""
    """Median with half of its interval; empty = not measured."""
    speedup: str = ""
    outcome: str = ""
    """How it ended, if not as passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One cell on all kinds."""

    model: str
    backend: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One kind of machine."""

    name: str
    fingerprint: str
    machine: tuple[tuple[str, str], ...]
    page: str
    """Path of its own page, relative to the fleet's."""
    outcomes: tuple[tuple[str, int], ...]
    cautions: tuple[str, ...]


def columns_of(reports: Mapping[str, Report], folder: Path) -> tuple[Column, ...]:
    """Return a column per kind; links start at `folder`."""
    return tuple(
        Column(
            name=name,
            fingerprint=str(report.environment.get("fingerprint", "")),
            machine=report.machine,
            page=quote(os.path.relpath(Path(report.location) / "report.html", folder)),
            outcomes=tuple(
                (outcome_name(outcome), number)
                for outcome, number in report.totals.outcomes.items()
            ),
            cautions=(*report.problems, *report.cautions),
        )
        for name, report in reports.items()
    )


def lines_of(reports: Mapping[str, Report]) -> tuple[Line, ...]:
    """Return a line per row and backend that any kind has, in the order of the first that has it."""
    rows = {name: {row.id: row for row in report.rows} for name, report in reports.items()}
    labels = {key: text for report in reports.values() for key, text in labels_of(report).items()}
    found: dict[tuple[str, str], None] = {}
    for report in reports.values():
        for row in report.rows:
            found |= dict.fromkeys((row.id, lane.backend) for lane in row.lanes)
    order = {key: place for place, key in enumerate(dict.fromkeys(key for key, _ in found))}
    return tuple(
        Line(
            model=labels.get(key, key),
            backend=backend_name(backend),
            entries=tuple(_entry(rows[name].get(key), backend) for name in reports),
        )
        for key, backend in sorted(found, key=lambda pair: order[pair[0]])
    )


def _entry(row: Row | None, backend: str) -> Entry:
    lane = row.lane(backend) if row is not None else None
    if row is None or lane is None:
        return Entry()
    speedup = next((s for s in row.speedups if s.backend == backend), None)
    return Entry(
        latency=_latency(lane),
        speedup=ratio_text(speedup) if speedup is not None else "",
        outcome=next(
            (outcome_name(step.outcome) for step in lane.steps if step.outcome != "passed"), ""
        ),
    )


def _latency(lane: Lane) -> str:
    if lane.timing is None:
        return ""
    width = lane.timing.relative_half_width
    text = units.seconds(lane.timing.p50)
    return f"{text} ±{units.percent(width)}" if width is not None else text


def to_markdown(file: FleetFile, columns: Sequence[Column], lines: Sequence[Line]) -> str:
    """Return the overview as Markdown; user text in it cannot become markup."""
    heads = ["model", "backend"]
    for column in columns:
        heads += [f"{safe(column.name)} p50", "speed-up"]
    table = [line(heads), line([":--", ":--", *("--:" for _ in heads[2:])])]
    for row in lines:
        cells = [safe(row.model), safe(row.backend)]
        for entry in row.entries:
            cells += [
                entry.latency or (f"*{entry.outcome}*" if entry.outcome else ""),
                entry.speedup,
            ]
        table.append(line(cells))
    blocks = [f"## Fleet {safe(file.name)}: {units.plural(len(columns), 'kind')} of machine"]
    blocks += ["\n".join(table), f"<sub>{RULE}</sub>"]
    for column in columns:
        facts = ", ".join(value for _, value in column.machine[:3])
        counts = ", ".join(f"{number} {name}" for name, number in column.outcomes)
        blocks.append(f"**{safe(column.name)}** ({column.fingerprint}): {safe(facts)}; {counts}")
        blocks += [f"> ⚠️ {safe(text)}" for text in column.cautions]
    blocks += [f"> left out: {safe(host)}: {safe(why)}" for host, why in file.left_out.items()]
    return "\n\n".join(blocks) + "\n"


def write_overview(file: FleetFile, reports: Mapping[str, Report], folder: Path) -> Path:
    """Write the fleet's page and its Markdown into `folder`; return the page. Raises OSError."""
    columns, lines = columns_of(reports, folder), lines_of(reports)
    page = (
        templates_in(TEMPLATES)
        .get_template("fleet.html.j2")
        .render(file=file, columns=columns, lines=lines, rule=RULE, style=style_of())
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / PAGE, page)
    write_whole(folder / SUMMARY, to_markdown(file, columns, lines))
    return folder / PAGE
