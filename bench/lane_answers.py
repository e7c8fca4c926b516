"""What `python -m bench why MODEL` says of the lanes of a model: from the records of its runs, without measuring."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markup import escape

from bench.output.names import backend_name
from bench.summary.build import build_report
from bench.summary.labels import interval_text, times
from bench.summary.lane_causes import (
    LaneFinding,
    causes_of_lane,
    lacks_compilation,
)
from bench.summary.model import Lane, Report, Row, Speedup
from diagnostics.codec import encode
from suite.axes import COMPILED, ONNXRUNTIME, REFERENCE
from suite.runs.load import load_run

PROFILED: Final = (REFERENCE, ONNXRUNTIME)
"""Lanes that are told only where a record names a cause: their profiles tell more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneAnswer:
    """One lane of the model, and why it is slow."""

    row: str
    """Id of the row: model, size, device, dtype and batch."""
    backend: str
    run: str
    """Run in which it was measured."""
    taken_apart_in: str
    """Run whose step `compilation` told of its breaks; empty without one."""
    speedup: Speedup | None
    causes: tuple[LaneFinding, ...]
    missing: str
    """What has to be measured to name causes, with the command; empty if nothing has."""

    @property
    def verdict(self) -> str:
        """How fast it is against eager."""
        found = self.speedup
        if found is None:
            return "not measured beside eager"
        if not found.is_known:
            return f"too few undisturbed pairs to compare it with {found.over}"
        return f"{times(found.ratio)}{interval_text(found.low, found.high)} as fast as {found.over}"


def lane_answers(
    folders: Iterable[Path], model: str, size: str, variant: str, backend: str
) -> tuple[LaneAnswer, ...]:
    """Return what is known of the lanes of the newest run that has the model, one line per row and backend.

    A lane whose compilation was not taken apart there takes it from the newest run in which it was: `-k compilation`
    makes a run of that step alone. `size` and `backend`: empty for any; the runs are given newest first.
    """
    found: dict[tuple[str, str], tuple[Report, Row, Lane]] = {}
    apart: dict[tuple[str, str], tuple[str, Lane]] = {}
    for folder in folders:
        run = load_run(folder)
        if not any((r.cell.model, r.cell.variant) == (model, variant) for r in run.records):
            continue
        report = build_report(run)
        rows = [
            row
            for row in report.rows
            if (row.model, row.variant) == (model, variant) and size in ("", row.size)
        ]
        for row in rows:
            for lane in row.lanes:
                place = row.id, lane.backend
                if backend in ("", lane.backend):
                    if lane.timing is not None or lane.comparisons:
                        found.setdefault(place, (report, row, lane))
                    if lane.compiled is not None:
                        apart.setdefault(place, (report.folder, lane))
        if found and all(p in apart for p in found if p[1] == COMPILED):
            break
    return tuple(_answer(*found[place], apart.get(place)) for place in found)


def _answer(report: Report, row: Row, lane: Lane, apart: tuple[str, Lane] | None) -> LaneAnswer:
    if apart is not None:
        lane = replace(lane, compiled=apart[1].compiled)
    return LaneAnswer(
        row=row.id,
        backend=lane.backend,
        run=report.folder,
        taken_apart_in=apart[0] if apart else "",
        speedup=next((s for s in row.speedups if s.backend == lane.backend), None),
        causes=causes_of_lane(row, lane),
        missing=lacks_compilation(report, row, lane),
    )


def told(answers: Iterable[LaneAnswer]) -> tuple[LaneAnswer, ...]:
    """Return the lanes worth a line: all but those whose profile tells more."""
    return tuple(one for one in answers if one.causes or one.backend not in PROFILED)


def lanes_document(answers: Iterable[LaneAnswer]) -> list[dict[str, Any]]:
    """Return the lanes as JSON-able data."""
    return [encode(one) for one in answers]


def show_lanes(answers: Iterable[LaneAnswer], console: Console) -> None:
    """Print every lane with its causes, each with what it was seen by and what to do."""
    for one in answers:
        console.print()
        console.print(
            f"[bold]{escape(one.row)}, {escape(backend_name(one.backend))}[/bold]: {escape(one.verdict)}"
        )
        for number, cause in enumerate(one.causes, start=1):
            console.print(f"[bold]{number}. {escape(cause.cause)}[/bold]")
            console.print(f"   {escape(cause.sentence)}")
            console.print(f"   [green]cure:[/green] {escape(cause.cure)}")
        if one.missing:
            console.print(f"   not known why: {escape(one.missing)}", soft_wrap=True)
        elif not one.causes:
            console.print("   [dim]its records name no cause[/dim]")
        source = f"run {one.run}"
        if one.taken_apart_in not in ("", one.run):
            source += f", its compilation from run {one.taken_apart_in}"
        console.print(f"   [dim]{escape(source)}[/dim]")
