"""pytest-benchmark's `--benchmark-compare-fail=median:5%` beside the gate: `python tests/speed/peer_benchmark.py`.

The rows of gate_recall.py (models of the catalogue at tiny, on two backends) as a user of pytest-benchmark writes them.
A first run saves them as they are; then each percentage is a run in which every pass does that much more work, of the
five kinds in turns, while a second process loads one core on and off. Prints how many rows the comparison fails: those
at 0% are false alarms, the others recall.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from itertools import cycle
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

LIMIT = 1.05
TESTS = """
import json, sys
from pathlib import Path
import pytest
sys.path[:0] = [{root!r}, {here!r}]
from injected_turns import WARM_CALLS, behind, fitted
from injected_work import kinds
from suite.backends.runnable import runnable_for
from suite.cell import Cell
from suite.worker.job_options import JobOptions
from suite.worker.protocol import CellJob

ROWS = json.loads(Path({rows!r}).read_text())

@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_row(row, benchmark):
    job = CellJob(runner="", cell=Cell(**row["cell"]), options=JobOptions.from_dict(row["options"]))
    subject = runnable_for(job, lambda kind, /, **data: None)
    with subject.inference():
        subject.call()
        call = subject.call
        if row["percent"]:
            for _ in range(WARM_CALLS):
                call()
            call = behind(call, fitted(call, kinds()[row["kind"]], row["percent"] / 100))
        benchmark(call)
"""


def rows_of(selection, graphs, *, percent=0.0, first_kind=0):
    """Return the rows of a run: cells of the selection, with that much more work in every pass."""
    from gate_recall import KINDS

    turns = cycle(KINDS[first_kind:] + KINDS[:first_kind])
    return [
        {
            "id": cell.id,
            "cell": cell.as_dict(),
            "percent": percent,
            "kind": kind,
            "options": {
                **selection.job_options.as_dict(),
                "graph": str((graphs / f"{cell.model}-{cell.size}.onnx").resolve()),
            },
        }
        for cell, kind in zip(selection.cells, turns, strict=False)
    ]


def one_run(rows, place, name, *, compare=""):
    """Return row -> median seconds of one run of pytest-benchmark, and whether its comparison failed the run.

    `place` keeps its saved runs; `compare` is the number of the earlier one.
    """
    (place / "rows.json").write_text(json.dumps(rows))
    tests = place / "test_rows.py"
    here = str(Path(__file__).parent)
    tests.write_text(TESTS.format(root=str(ROOT), here=here, rows=str(place / "rows.json")))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests)]
    command += [f"--rootdir={place}", "-c", os.devnull, f"--benchmark-save={name}"]
    command += [f"--benchmark-storage=file://{place / 'saved'}"]
    if compare:
        command += [f"--benchmark-compare={compare}", "--benchmark-compare-fail=median:5%"]
    done = subprocess.run(
        command, cwd=place, capture_output=True, text=True, timeout=1200, check=False
    )
    saved = sorted((place / "saved").rglob(f"*_{name}.json"))
    if not saved or (done.returncode and not compare):
        raise RuntimeError(f"pytest-benchmark ended with {done.returncode}:\n{done.stdout[-3000:]}")
    found = json.loads(saved[-1].read_text())["benchmarks"]
    return {row["name"]: row["stats"]["median"] for row in found}, done.returncode != 0


def main():
    from equal_arms import equal_arms, tiny_cells
    from gate import load
    from gate_recall import MODELS

    from tests.machine import machine

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default=MODELS)
    parser.add_argument("--backend", default="eager,onnxruntime")
    parser.add_argument("--percents", default="0,5,10")
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    selection = tiny_cells(given.models, given.backend)
    percents = [float(part) for part in given.percents.split(",")]
    found = {percent: [] for percent in percents}
    runs = dict.fromkeys(percents, 0)
    with equal_arms(selection, "quick") as arms, tempfile.TemporaryDirectory() as folder:
        graphs = arms["head"].session.folder.onnx
        for arm in arms.values():
            arm.worker.close()
        with load(quiet=False):
            for number in range(given.rounds):
                place = Path(folder, str(number))
                place.mkdir()
                before, _ = one_run(rows_of(selection, graphs), place, "base")
                for percent in percents:
                    rows = rows_of(selection, graphs, percent=percent, first_kind=number)
                    name = f"more{percent:g}".replace(".", "_")
                    after, has_failed = one_run(rows, place, name, compare="0001")
                    found[percent] += [after[row] / before[row] for row in before]
                    runs[percent] += has_failed
                    print(f"round {number + 1}, +{percent:g}%", file=sys.stderr, flush=True)
    print(f"{machine()} at the end; one core loaded on and off\n")
    print("| head does | rows | failed | share | runs failed | change measured, median |")
    print("|---|--:|--:|--:|--:|--:|")
    for percent, ratios in found.items():
        failed = sum(ratio > LIMIT for ratio in ratios)
        what = f"{percent:g}% more" if percent else "the same"
        print(
            f"| {what} | {len(ratios)} | {failed} | {failed / len(ratios):.2f} |"
            f" {runs[percent]} of {given.rounds} | {median(ratios) - 1:+.1%} |"
        )


if __name__ == "__main__":
    main()
