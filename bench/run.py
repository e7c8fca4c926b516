"""The end of a run: the machine's peaks, the analysis of its graphs, the report, the history."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from bench.post_run import is_whole, peaks_for, take_apart
from bench.report.html import write_html
from bench.report.markdown import to_markdown
from bench.summary.build import build_report
from bench.summary.model import Report
from suite.engine.run import Run
from suite.runs.load import load_run


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedRun:
    """What the end of a run leaves for the terminal."""

    report: Report
    html: Path
    """The report's page."""
    history: str
    """One sentence: what became of the run in the history; empty when nothing was measured."""


def finish_run(run: Run, *, store: str) -> FinishedRun:
    """Closes the run and writes `report.html`, the job's summary and the history.

    `store` is the database of the history: a file or an address.
    """
    run.session.stop()
    try:
        _look_back(run)
    finally:
        run.close()
    report = build_report(load_run(run.folder.path))
    html = run.folder.path / "report.html"
    write_html(report, html)
    history = _record(run, store)
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with contextlib.suppress(OSError), Path(summary).open("a", encoding="utf-8") as file:
            file.write(to_markdown(report))
    return FinishedRun(report=report, html=html, history=history)


def _look_back(run: Run) -> None:
    """Measures the machine's peaks and analyses the run's graphs, for the report; not after an interrupted run."""
    records = run.session.records
    if not records or not is_whole(run.info.get("planned", ()), records):
        return
    if peaks := peaks_for(records.values(), run.session.request.options, run.session.worker):
        run.info["roofline"] = peaks
    run.write_info()
    take_apart(run.folder.path, run.session.worker)


def _record(run: Run, store: str) -> str:
    """Puts the run into the history; a failure there costs no run, because its folder has everything."""
    from bench.history.errors import HistoryError
    from bench.history.recording import record_run  # SQLAlchemy: only after the measuring

    if not run.session.records:
        return ""
    try:
        return record_run(run.folder.path, store).sentence
    except HistoryError as error:
        return str(error)
