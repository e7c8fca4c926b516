"""How much a fresh process costs: `python tests/speed/launch.py`.

Prints the median over 20 workers of what a cell of `mlp` pays over its own build, input and first forward pass,
through the launcher and through a newly started interpreter, and the ratio. Goal: 50 ms or less.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from suite.catalog import spec_for
from suite.data.sources import sources_in
from suite.options import Asked, resolve
from suite.worker.client import Launcher
from suite.worker.protocol import CellJob, Job

ROUNDS, SPAWNED = 20, 3
RUNNER = "bench.instruments.coldstart:run"


def job() -> Job:
    selection = resolve(Asked(models=["mlp"], backend="eager"), num_gpus=0, num_cores=2)
    return CellJob(runner=RUNNER, cell=selection.cells[0], options=selection.job_options)


def through_launcher() -> list[tuple[float, float]]:
    """(seconds from asking to the first sample, the model's own seconds) of each worker."""
    selection = resolve(Asked(models=["mlp"], backend="eager"), num_gpus=0, num_cores=2)
    launcher = Launcher(preload=(*selection.preload(), RUNNER.partition(":")[0]))
    found = []
    try:
        launcher.wait_until_ready()
        for _ in range(ROUNDS + 1):
            began = time.perf_counter()
            answer = launcher.run(job())
            assert answer.outcome.has_run, answer.failure
            found.append((answer.answered_at - began, sum(answer.phases.values())))
    finally:
        launcher.close()
    return found[1:]  # the first one waits for the file system


def spawned() -> list[float]:
    """Wall seconds of the same job in an interpreter of its own."""
    found = []
    for _ in range(SPAWNED):
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "suite.worker.child"],
            input=job().to_json() + "\n",
            text=True,
            capture_output=True,
            check=True,
        )
        found.append(time.perf_counter() - began)
    return found


def main() -> None:
    assert spec_for("mlp")
    assert sources_in(None)
    rows = through_launcher()
    overhead = statistics.median(wall - own for wall, own in rows)
    own = statistics.median(own for _, own in rows)
    spawn = statistics.median(spawned())
    print(
        f"launcher: {1e3 * overhead:.1f} ms over the model's own {1e3 * own:.1f} ms (median of {ROUNDS})"
    )
    print(f"spawned interpreter: {spawn:.2f} s in all (median of {SPAWNED})")
    print(f"ratio of the whole cell: {spawn / (overhead + own):.0f}x")
    print(
        "goal: 50 ms or less over the model's own build and run:",
        "met" if overhead <= 0.05 else "MISSED",
    )


if __name__ == "__main__":
    main()
