"""One run of many cells that answer at once, in the tree that PYTHONPATH names: what its parent takes, as JSON.

Started by `tests/speed/parent.py`, in this tree and in one of an older commit, whose modules had other names.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from suite.options import Asked, resolve
from suite.outcome import Outcome
from suite.worker.client import Answer

STEP = "latency"
SAMPLES = [0.001 + number * 1e-6 for number in range(20)]


def answer(job: Any) -> Answer:
    """Twenty rounds, as one quick step brings home."""
    row = {"metric": "latency", "unit": "s", "samples": SAMPLES, "iterations_per_sample": 1}
    return Answer(
        outcome=Outcome.PASSED,
        result={"measurements": [row]},
        phases={"build": 0.2, "measure": 0.02},
    )


class Instant:
    """Answers at once; what the launcher would do with the job is not the parent's."""

    def run(self, job: Any, *rest: Any) -> Answer:
        job.to_json()
        return answer(job)

    def close(self) -> None:
        pass


def opened(out: Path) -> tuple[Any, Callable[..., Any], Callable[..., Any]]:
    """Return an open run, its display and what records a run in the history, by this tree's names."""
    asked = {"models": ["mlp"], "size": "tiny", "backend": "eager"}
    try:
        asked = Asked(**asked)
    except TypeError:
        asked = Asked(**{**asked, "models": "mlp"})
    selection = resolve(asked, num_gpus=0, num_cores=1)
    common = {
        "out": out,
        "resume": None,
        "selection": selection,
        "deadline": 9.0,
        "command": "pytest bench",
        "worker": lambda folder: Instant(),
    }
    try:
        from bench.report.live import live_display

        from bench.run import open_run
    except ImportError:
        from bench.history.recording import record_run
        from bench.plan import PLANS
        from bench.steps import STEPS
        from diagnostics.gather import gather
        from suite.engine.live_display import live_display
        from suite.engine.progress import Work, kind_of
        from suite.engine.run import open_run
        from suite.engine.steps import typical_seconds

        def display(cells: list[Any], console: Console) -> Any:
            work = [
                Work(kind=kind_of(STEP, cell), seconds=typical_seconds(cell, STEP, STEPS))
                for cell in cells
            ]
            return live_display(len(work), console, work=work)

        plan = {"plan": PLANS["quick"].as_dict()}
        run = open_run(environment=gather(quick=True), steps=STEPS, options=plan, **common)
        return run, display, record_run
    from bench.history.recording import record_run
    from bench.plan import PLANS
    from diagnostics.environment import gather

    run = open_run(environment=gather(quick=True), plan=PLANS["quick"], **common)
    return (
        run,
        lambda cells, console: live_display(len(cells), console, steps=[STEP] * len(cells)),
        record_run,
    )


def measured(out: Path, number: int, *, is_terminal: bool) -> dict[str, float]:
    """Return part -> processor seconds and `PART wall` -> wall seconds; `memory`, the process's most, in MB."""
    found: dict[str, float] = {}
    clock = [time.perf_counter(), time.process_time()]

    def lap(part: str) -> None:
        now = [time.perf_counter(), time.process_time()]
        found[f"{part} wall"] = found.get(f"{part} wall", 0.0) + now[0] - clock[0]
        found[part] = found.get(part, 0.0) + now[1] - clock[1]
        clock[:] = now

    run, display, record_run = opened(out)
    first = run.selection.cells[0]
    cells = [replace(first, batch=n) for n in range(1, number + 1)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Path(os.devnull).open("w") as null:
        console = Console(file=null, width=120, force_terminal=is_terminal)
        lap("start")
        run.begin([{"cell": cell.as_dict(), "step": STEP} for cell in cells])
        lap("plan")
        # The display apart from the records: reading the processor's clock between them takes longer than either.
        kept: list[Any] = []
        run.session.on_end = kept.append
        for cell in cells:
            run.session.measure(cell, STEP)
        if hasattr(run.folder, "sync"):
            run.folder.sync()
        lap("records")
        with display(cells, console) as live:
            for record in kept:
                live.begin(record.cell.id, STEP)
                live.end(record)
            lap("progress")
    del run.session, kept
    folder = run.folder.path
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    record_run(folder, str(out / "history.db"))
    lap("history")
    lines = (folder / "records.jsonl").read_text().splitlines()
    assert len({json.loads(line)["cell"]["batch"] for line in lines}) == number
    return {**found, "memory": most / 1024, "memory before": before / 1024}


if __name__ == "__main__":
    print(json.dumps(measured(Path(sys.argv[1]), int(sys.argv[2]), is_terminal=sys.argv[3] == "1")))
