"""What a long history costs: `python tests/speed/history.py [--records 100000] [--store postgresql+psycopg://...]`.

Fills an empty history with whole runs of 28 models, two backends and four steps, and prints what one
more run costs with 1,000, 10,000 and 100,000 records there (as ratios: it must not grow), and how long one
model's trend takes to draw. Goal: 1 s.
"""

from __future__ import annotations

import argparse
import io
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "bench")]

from report_runs import MODELS, write_run  # noqa: E402
from rich.console import Console  # noqa: E402

from bench.history.database import address_of, shown, write  # noqa: E402
from bench.history.entry import RunEntry  # noqa: E402
from bench.history.query import query_trends  # noqa: E402
from bench.history.recording import record_run  # noqa: E402
from bench.history.rows import run_entry  # noqa: E402
from bench.history.terminal import render_terminal  # noqa: E402
from bench.history.writing import write_entry  # noqa: E402
from suite.runs.load import load_run  # noqa: E402

STOPS = (1_000, 10_000, 100_000)
TURNS = 7
MODEL = "resnet18"
PATTERNS = 8
"""Made-up runs that the filling takes turns with; making 450 of them would be most of the time."""
TOGETHER = 20
"""Runs in one transaction while filling."""


def runs(folder: Path) -> Iterator[RunEntry]:
    """One run after another, a day apart, without end."""
    patterns = []
    for seed in range(PATTERNS):
        write_run(folder / f"pattern{seed}", models=MODELS[:28], seed=seed)
        patterns.append(run_entry(load_run(folder / f"pattern{seed}")))
    began = datetime(2020, 1, 1, tzinfo=UTC)
    number = 0
    while True:
        at = began + timedelta(days=number)
        pattern = patterns[number % PATTERNS]
        yield replace(
            pattern,
            key=f"run{number}",
            name=f"run{number}",
            started_at=at,
            records=tuple(replace(r, at=at, digest=f"{number}") for r in pattern.records),
        )
        number += 1


def cost_of(folder: Path, store: str) -> float:
    """Wall time to record one more run folder."""
    run = folder / f"new{time.monotonic_ns()}"
    write_run(run, models=MODELS[:28])
    began = time.perf_counter()
    record_run(run, store)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=STOPS[-1])
    parser.add_argument("--store", default="")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        measure(folder, arguments.store or str(folder / "history.db"), arguments.records)


def measure(folder: Path, store: str, most: int) -> None:
    is_file = "://" not in store
    print(f"history in {'a file' if is_file else shown(address_of(store))}")
    source = runs(folder)
    there, num_runs, filling = 0, 0, 0.0
    costs: dict[int, list[float]] = {}
    copies: dict[int, Path] = {}
    for stop in (*(s for s in STOPS if s < most), most):
        while there < stop:
            entries = [next(source) for _ in range(TOGETHER if stop > STOPS[0] else 1)]
            began = time.perf_counter()
            write(store, lambda connection, e=entries: [write_entry(connection, x) for x in e])
            filling += time.perf_counter() - began
            there += sum(len(entry.records) for entry in entries)
            num_runs += len(entries)
        if is_file:
            copies[there] = folder / f"copy{there}.db"
            shutil.copy(store, copies[there])
        else:
            costs[there] = [cost_of(folder, store) for _ in range(TURNS)]
    print(
        f"{there:,} records in {num_runs:,} runs; {filling:.1f} s to fill, {TOGETHER} runs a transaction"
    )
    # In turns, so that a neighbour who slows this machine down slows all of them.
    for count in [count for _ in range(TURNS) for count in copies]:
        costs.setdefault(count, []).append(cost_of(folder, str(copies[count])))
    first = statistics.median(next(iter(costs.values())))
    for count, taken in costs.items():
        cost = statistics.median(taken)
        print(
            f"one more run of {len(entries[0].records)} records at {count:,}:"
            f" {cost:.3f} s ({cost / first:.2f}x)"
        )
    if is_file:
        print(f"{Path(store).stat().st_size / there:.0f} bytes a record, samples included")
    taken = []
    for _ in range(TURNS):
        began = time.perf_counter()
        found = query_trends(store, [MODEL], ["latency"])
        render_terminal(found, Console(file=io.StringIO(), width=120))
        taken.append(time.perf_counter() - began)
    num_points = sum(len(trend.points) for trend in found.trends)
    drawn = statistics.median(taken)
    print(
        f"{MODEL}: {len(found.trends)} series, {num_points} points searched and drawn in {drawn:.2f} s;"
        f" goal of 1 s: {'met' if drawn <= 1 else 'MISSED'}"
    )
    command = [sys.executable, "-m", "bench", "history", MODEL, "--store", store]
    taken, before = [], resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(TURNS):
        began = time.perf_counter()
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        taken.append(time.perf_counter() - began)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) / TURNS
    print(
        f"the whole command, Python's start and imports included: {statistics.median(taken):.2f} s,"
        f" of it {busy:.2f} s of a processor"
    )


if __name__ == "__main__":
    main()
