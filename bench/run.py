"""The end of a run: the machine's peaks, the analysis of its graphs, the report, the history."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.generation import STEP as GENERATE
from bench.graph_analysis.make import ANALYSIS, PICTURES_TASK, Done, make_anatomies
from bench.instruments.options import RooflineOptions
from bench.instruments.results import RooflineResult
from bench.netron.devtools import has_browser
from bench.plan import HASTY
from bench.run_outputs import PAGE, write_outputs_apart
from bench.summary.build import build_report
from bench.summary.model import Report
from diagnostics.codec import encode
from suite.axes import BACKENDS
from suite.cell import Cell
from suite.engine.progress import Work
from suite.engine.run import Run
from suite.outcome import Outcome
from suite.record import Record
from suite.runs.load import load_run
from suite.worker.client import Worker
from suite.worker.job_options import JobOptions
from suite.worker.protocol import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedRun:
    """What the end of a run leaves for the terminal."""

    report: Report
    html: Path
    """The report's page."""
    history: str
    """One sentence: what became of the run in the history; empty when nothing was measured."""


def finish_run(run: Run, *, store: str, is_elsewhere: bool = False) -> FinishedRun:
    """Close the run and write its outputs; see `bench.run_outputs`.

    `store` is the database of the history: a file or an address. A run that was measured on another machine has its
    peaks from there; its graphs are not taken apart here, where their operations would take other times.
    """
    run.session.stop()
    try:
        _look_back(run, is_elsewhere=is_elsewhere)
    finally:
        run.close()
    folder = run.folder.path
    run.display.say("writing the report ...")
    began = time.monotonic()
    with ThreadPoolExecutor(1) as pool:  # it waits for a process, which has the other core
        written = pool.submit(write_outputs_apart, folder, store if run.session.records else "")
        report = build_report(load_run(folder))
        history = written.result()
    run.display.task(REPORT, PAGE, time.monotonic() - began)
    return FinishedRun(report=report, html=folder / PAGE, history=history)


PEAKS_TASK: Final = "peaks"
REPORT: Final = "report"
TYPICAL: Final = {
    PEAKS_TASK: {"tiny": 5.0, "base": 5.0},
    ANALYSIS: {"tiny": 2.5, "base": 6.0},
    PICTURES_TASK: {"tiny": 1.0, "base": 3.5},  # of one graph; a task has several
    REPORT: {"tiny": 5.0, "base": 8.0},
}
"""Kind of closing task -> size -> seconds that it typically takes on two cores."""


def closing_tasks(run: Run) -> list[Work]:
    """Return what follows the last step of the run: see `finish_run`."""
    request = run.session.request
    cells = run.selection.cells
    models = {(cell.model, cell.size): cell for cell in cells if BACKENDS[cell.backend].needs_graph}
    size = cells[0].size if cells else ""
    parts = [] if request.options.plan.get("name") in HASTY else [(PEAKS_TASK, 1.0)]
    parts += [(ANALYSIS, 1.0)] * len(models)
    if models and has_browser():
        num_tasks = min(len(models), len(run.workers))
        parts += [(PICTURES_TASK, len(models) / num_tasks)] * num_tasks
    return [
        Work(
            kind=kind,
            seconds=share * TYPICAL[kind].get(size, 0.0),
            lanes=kind in (ANALYSIS, PICTURES_TASK),
        )
        for kind, share in (*parts, (REPORT, 1.0))
    ]


def _look_back(run: Run, *, is_elsewhere: bool) -> None:
    """Measures the machine's peaks and analyses the run's graphs, for the report; not after an interrupted run."""
    records = run.session.records
    if not records or not is_whole(run.info.get("planned", ()), records):
        return
    began = time.monotonic()
    if peaks := peaks_for(records.values(), run.session.request.options, run.session.worker):
        run.info["roofline"] = peaks
        run.display.task(PEAKS_TASK, "of this machine", time.monotonic() - began)
    run.write_info()
    if not is_elsewhere:
        take_apart(run.folder.path, run.workers, run.display.task)


# What is done once everything is measured: the machine's peaks, and the run's graphs taken apart and drawn.

PEAKS: Final = "bench.instruments.roofline:run"
DEADLINE: Final = 120.0
"""Seconds for the peaks of one device; 5 s on two cores."""


def peaks_for(
    records: Iterable[Record], options: JobOptions, worker: Worker
) -> list[dict[str, Any]]:
    """The peaks of every device that a latency was measured on, as the instrument tells them; see `run.json`.

    Empty after a hasty plan, and for a device whose peaks could not be measured: the report then has no roofline.
    """
    name = options.plan.get("name")
    devices = dict.fromkeys(
        r.cell.device for r in records if r.step in ("latency", GENERATE) and r.measurements
    )
    if name in HASTY:
        return []
    found = []
    for device in devices:
        asked = JobOptions(threads=options.threads).extended(RooflineOptions(device=device))
        answer = worker.run(Job(runner=PEAKS, options=asked, deadline=DEADLINE))
        if answer.outcome is Outcome.PASSED:
            found.append(encode(answer.read(RooflineResult), sparse=True))
    return found


def is_whole(planned: Sequence[Mapping[str, Any]], records: Mapping[str, Record]) -> bool:
    """Whether every planned step has its record: after one that was broken off nobody wants to wait."""
    return all(f"{Cell(**p['cell']).id}/{p['step']}" in records for p in planned)


def take_apart(folder: Path, workers: Sequence[Worker], done: Done) -> None:
    """The anatomies and pictures of the run's graphs, into its folder; what fails there costs no run.

    Of a large run the other states' pictures are left to `python -m bench review`.
    """
    make_anatomies(load_run(folder), workers=workers, draws_all=False, done=done)
