"""Harness error: our p50 against a hand-written loop in the same process, taken in turns.

python tests/bench/compare_with_loop.py [--models mlp,resnet18,bert] [--turns 7] [--clock cpu]

A script, not a test. Prints one row per model and, last, one JSON document. The ratio of a turn
compares two stretches that follow each other, and its median over the turns leaves out a
neighbour's burst; the order within a turn alternates. By the wall clock it needs a quiet
machine: a round is long enough to be preempted, a single pass may not be. `--clock cpu` reads
the thread's CPU time for both sides instead, which tells what the harness itself adds on a busy
machine too; it takes one thread.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.instruments import latency
from bench.instruments.latency import available_cores
from bench.instruments.stopwatch import CLOCK, NS, Clock
from bench.plan import PLANS
from bench.stats import median
from suite import units
from suite.backends.runnable import Runnable, runnable_for
from suite.cell import Cell
from suite.data.sources import sources_in
from suite.worker.job_options import JobOptions
from suite.worker.protocol import CellJob


def silent(kind: str, /, **data: Any) -> None:
    """An emit that nobody listens to."""


def subject_of(model: str, size: str, threads: int) -> Runnable:
    """The model on the eager backend with real input bound, called twice."""
    options = {
        "models_from": "",
        "weights": "random",
        "sources": {kind: source.as_dict() for kind, source in sources_in(None).items()},
        "seed": 0,
        "threads": threads,
    }
    subject = runnable_for(
        CellJob(
            runner="", cell=Cell(model=model, size=size), options=JobOptions.from_dict(options)
        ),
        silent,
    )
    with subject.inference():
        subject.call()
        subject.call()
    return subject


def ours(subject: Runnable, clock: Clock) -> float:
    """Median seconds per pass by the latency instrument under the standard plan."""
    with subject.inference():
        found = latency.measure(subject, PLANS["standard"], silent, clock=clock)
    return median(found[0].samples)


def by_hand(subject: Runnable, clock: Clock, seconds: float = 2.5) -> float:
    """Median seconds per pass as anybody would write it: each pass alone by the wall clock.

    Reading a CPU clock takes a system call, so passes shorter than 5 ms are then timed together.
    """
    import torch

    module, inputs = subject.module, subject.inputs
    times: list[float] = []
    with torch.inference_mode():
        began = clock()
        module(**inputs)
        alone = (clock() - began) * NS
        together = 1 if clock is CLOCK else max(1, int(0.005 / alone))
        until = clock() * NS + seconds
        while clock() * NS < until or len(times) < 5:
            began = clock()
            for _ in range(together):
                module(**inputs)
            times.append((clock() - began) * NS / together)
    return median(times)


def compare(subject: Runnable, turns: int, clock: Clock) -> tuple[float, float, float]:
    """Median of ours, of the loop, and of their ratio, over the turns."""
    rows = []
    for turn in range(turns):
        if turn % 2:
            loop = by_hand(subject, clock)
            rows.append((ours(subject, clock), loop))
        else:
            instrument = ours(subject, clock)
            rows.append((instrument, by_hand(subject, clock)))
    mine, theirs = zip(*rows, strict=True)
    return median(mine), median(theirs), median([a / b for a, b in rows])


def main() -> None:
    """Prints the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default="mlp,resnet18,bert")
    parser.add_argument("--size", default="base")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--threads", type=int, default=available_cores())
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    asked = parser.parse_args()
    clock = CLOCK if asked.clock == "wall" else time.thread_time_ns
    if asked.clock == "cpu" and asked.threads != 1:
        parser.error("--clock cpu sees one thread only: add --threads 1")
    rows = {}
    for model in asked.models.split(","):
        mine, theirs, ratio = compare(
            subject_of(model, asked.size, asked.threads), asked.turns, clock
        )
        rows[model] = {"ours": mine, "loop": theirs, "ratio": ratio}
        error = units.percent(ratio - 1, sign=True)
        print(
            f"{model:12} ours {units.seconds(mine):>9}  loop {units.seconds(theirs):>9}  {error:>7}"
        )
    print(
        json.dumps(
            {"size": asked.size, "clock": asked.clock, "threads": asked.threads, ("models"): rows}
        )
    )


if __name__ == "__main__":
    main()
