"""Seconds of processor of several cells in turns, one thread each: what a machine that others keep busy can still tell.

Each cell has a process of its own, all are loaded, and they take turns in the order A B C, C B A ... A turn is calls
for a quarter of a second and gives the processor's seconds per call (time.process_time: of all threads of the process),
which waiting for a core does not change. `python tests/speed/lanes.py --processor` uses it; as a script it is one arm.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from suite.backends.runnable import runnable_for
from suite.worker.protocol import CellJob, Job

ROOT = Path(__file__).resolve().parents[2]
TURN = 0.25
"""Seconds of processor of a turn, at least one call."""
WARM = 3


def turns(jobs: Sequence[CellJob], passes: int) -> list[list[float]]:
    """Seconds of processor per call, one list per job with a value per pass; raise SystemExit if one fails."""
    arms = [
        subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for _ in jobs
    ]
    taken: list[list[float]] = [[] for _ in jobs]

    def ask(number: int, line: str) -> str:
        stdin, stdout = arms[number].stdin, arms[number].stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(line + "\n")
        stdin.flush()
        if not (answer := stdout.readline()):
            raise SystemExit(f"{jobs[number].cell.id}: its process ended; what it said is above")
        return answer

    try:
        for number, job in enumerate(jobs):
            ask(number, job.to_json())
        for turn in range(passes):
            order = range(len(arms)) if turn % 2 == 0 else reversed(range(len(arms)))
            for number in order:
                taken[number].append(float(ask(number, "turn")))
    finally:
        for arm in arms:
            arm.kill()
            arm.wait()
    return taken


def serve() -> None:
    """Load the job of the first line, and answer every later one with a turn."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    job = Job.from_json(sys.stdin.readline())
    assert isinstance(job, CellJob)
    subject = runnable_for(job, lambda kind, /, **data: None)
    with subject.inference():
        for _ in range(WARM):
            subject.call()
        out.write("ready\n")
        for _ in sys.stdin:
            begin, calls = time.process_time(), 0
            while not calls or time.process_time() - begin < TURN:
                subject.call()
                calls += 1
            out.write(f"{(time.process_time() - begin) / calls}\n")


if __name__ == "__main__":
    serve()
