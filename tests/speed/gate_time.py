"""Time of a gate beside that of an older commit: `python tests/speed/gate_time.py REF [--models '*']`.

Each tree's own gate compares the tree with itself (`tests/speed/gate.py`, plan quick), in turns, while a second process
loads one core on and off. Prints wall and processor seconds of each gate, its verdicts, because a gate that is quick
because it decides less is no gain, and the ratio of the medians. Goal: 0.65 of the older commit.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from house import checkout

ROOT = Path(__file__).resolve().parents[2]
GOAL = 0.65


def gate(tree: Path, given: argparse.Namespace) -> tuple[float, float, dict[str, int]]:
    """Run one gate of that tree; return its wall seconds, its processor seconds, and rows by verdict.

    Raises RuntimeError if it broke.
    """
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "tests/speed/gate.py", "--rows", "1", "--selftests", "0"]
        command += ["--no-harness", "--no-pytest-benchmark", "--plan", given.plan]
        command += ["--models", given.models, "--out", out, "--results", out]
        # Its rows are unchanged ones too; the other tree's ledger goes when the tree does.
        command += ["--append"] if given.append else []
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree)},
            stdout=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        kept = Path(out, "speed.json")
        if process.returncode or not kept.is_file():
            raise RuntimeError(f"{tree}: the gate ended with {process.returncode}")
        seconds = time.perf_counter() - began
        return seconds, usage.ru_utime + usage.ru_stime, json.loads(kept.read_text())["aa"]


def main() -> int:
    """Print a line per gate and the ratio; 1 when the goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("ref", help="the older commit")
    parser.add_argument("--models", default="*")
    parser.add_argument("--plan", default="quick")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument(
        "--append", action="store_true", help="add this tree's rows to the ledger (gate_ledger.py)"
    )
    given = parser.parse_args()
    walls: dict[Path, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, checkout(given.ref, Path(folder)) as base:
        for number in range(given.rounds):
            for tree in (base, ROOT) if number % 2 else (ROOT, base):
                wall, processor, verdicts = gate(tree, given)
                walls.setdefault(tree, []).append(wall)
                name = "head" if tree == ROOT else given.ref
                told = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items())
                print(f"{name}: {wall:.0f} s, {processor:.0f} s of processor; {told}", flush=True)
        ratio = statistics.median(walls[ROOT]) / statistics.median(walls[base])
    print(f"{ratio:.2f} times {given.ref} (goal {GOAL:g}); load {os.getloadavg()[0]:.1f}")
    return int(ratio > GOAL)


if __name__ == "__main__":
    sys.exit(main())
