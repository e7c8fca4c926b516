"""The end of a run: the machine's peaks, the analysis of its graphs, the report, the history."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.post_run import is_whole, peaks_for, take_apart
from bench.run_outputs import PAGE, write_outputs_apart
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
    """Close the run and write its outputs; see `bench.run_outputs`.

    `store` is the database of the history: a file or an address.
    """
    run.session.stop()
    try:
        _look_back(run)
    finally:
        run.close()
    folder = run.folder.path
    history = write_outputs_apart(folder, store if run.session.records else "")
    return FinishedRun(report=build_report(load_run(folder)), html=folder / PAGE, history=history)


def _look_back(run: Run) -> None:
    """Measures the machine's peaks and analyses the run's graphs, for the report; not after an interrupted run."""
    records = run.session.records
    if not records or not is_whole(run.info.get("planned", ()), records):
        return
    if peaks := peaks_for(records.values(), run.session.request.options, run.session.worker):
        run.info["roofline"] = peaks
    run.write_info()
    take_apart(run.folder.path, run.session.worker)
