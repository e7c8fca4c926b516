"""Processor time of whole lives beside that of an older commit: `python tests/speed/whole_suite.py REF --models NAMES`.

`pytest suite --models NAME --size tiny` from nothing, model by model, both trees in turns on one machine, one thread.
Processor seconds are those of pytest and of all that it started: on a busy machine wall time says more of its
neighbours. Goal: 0.6 of the older commit, the median over the models. Other options go to both runs as they are.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from house import checkout

ROOT = Path(__file__).resolve().parents[2]
GOAL = 0.6
EXIT_CODES = (0, 1)
"""All passed, and some step did not: the older commit's own faults are no reason to compare nothing."""


def seconds_of(tree: Path, name: str, options: list[str]) -> tuple[float, float]:
    """Return processor and wall seconds of the life of that model; raises RuntimeError if it broke."""
    command = [sys.executable, "-m", "pytest", "suite", "-q", "-p", "no:cacheprovider"]
    with tempfile.TemporaryDirectory() as out:
        began = time.perf_counter()
        process = subprocess.Popen(
            [
                *command,
                "--models",
                name,
                "--size",
                "tiny",
                "--threads",
                "1",
                "--out",
                out,
                *options,
            ],
            cwd=tree,
            env={
                **os.environ,
                "PYTHONPATH": str(tree),
                "TORCHINDUCTOR_CACHE_DIR": f"{out}/inductor",
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in EXIT_CODES:
            raise RuntimeError(f"{tree}: `{' '.join(command)}` ended with {process.returncode}")
        return usage.ru_utime + usage.ru_stime, time.perf_counter() - began


def main() -> int:
    """Print a line per model and the median; 1 when the goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("ref", help="the older commit")
    parser.add_argument("--models", default="mlp,bert_qa,faster_rcnn,r3d_18")
    given, options = parser.parse_known_args()
    ratios = []
    with tempfile.TemporaryDirectory() as folder, checkout(given.ref, Path(folder)) as base:
        for place, name in enumerate(given.models.split(",")):
            trees = (base, ROOT) if place % 2 else (ROOT, base)
            found = {tree: seconds_of(tree, name, options) for tree in trees}
            (before, wall_before), (after, wall_after) = found[base], found[ROOT]
            ratios.append(after / before)
            print(
                f"{name}: {before:.0f} -> {after:.0f} s of processor time, {ratios[-1]:.2f} times"
                f" (wall {wall_before:.0f} -> {wall_after:.0f} s)",
                flush=True,
            )
    middle = statistics.median(ratios)
    print(f"median {middle:.2f} times {given.ref} (goal {GOAL:g}); load {os.getloadavg()[0]:.1f}")
    return int(middle > GOAL)


if __name__ == "__main__":
    sys.exit(main())
