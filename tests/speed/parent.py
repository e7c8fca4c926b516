"""What the parent of a run takes for each cell, beside an older commit.

    python tests/speed/parent.py 2c9357a --cells 10000

Both trees in turns on one machine: cells that answer at once are planned, measured, appended, shown and recorded in a
new history. Processor seconds are the parent's; wall time has the disk's, to which records are synced. Goal: half of
the older commit's.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from house import checkout

ROOT = Path(__file__).resolve().parents[2]
CHILD = Path(__file__).with_name("parent_child.py")
PARTS = ("plan", "records", "progress", "history")
GOAL = 0.5


def taken(tree: Path, number: int, *, is_terminal: bool) -> dict[str, float]:
    """Return what a run of that tree took, see `parent_child.measured`."""
    with tempfile.TemporaryDirectory() as out:
        done = subprocess.run(
            [sys.executable, "-P", str(CHILD), out, str(number), str(int(is_terminal))],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree)},
            check=True,
            stdout=subprocess.PIPE,
        )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> int:
    """Print a line per part and the sum; 1 when the goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("ref", help="the older commit")
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--terminal", action="store_true", help="draw the panel of a terminal")
    asked = parser.parse_args()
    rows: dict[Path, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder, checkout(asked.ref, Path(folder)) as base:
        for turn in range(asked.rounds):
            for tree in (base, ROOT) if turn % 2 else (ROOT, base):
                found = taken(tree, asked.cells, is_terminal=asked.terminal)
                for suffix in ("", " wall"):
                    found[f"all{suffix}"] = sum(found[f"{part}{suffix}"] for part in PARTS)
                rows.setdefault(tree, []).append(found)
        before, after = (
            {name: statistics.median(row[name] for row in rows[tree]) for name in rows[tree][0]}
            for tree in (base, ROOT)
        )
    scale = 1e3 / asked.cells
    for part in (*PARTS, "all"):
        wall = f"{part} wall"
        print(
            f"{part}: {scale * before[part]:.3f} -> {scale * after[part]:.3f} ms of processor a cell,"
            f" {after[part] / before[part]:.2f} times; wall {scale * before[wall]:.2f} ->"
            f" {scale * after[wall]:.2f} ms, {after[wall] / before[wall]:.2f} times"
        )
    print(
        f"memory before the history: {before['memory']:.0f} -> {after['memory']:.0f} MB; {asked.cells} cells,"
        f" load {os.getloadavg()[0]:.1f}; goal {GOAL:g} times {asked.ref} in processor time:"
        f" {'met' if after['all'] <= GOAL * before['all'] else 'MISSED'}"
    )
    return int(after["all"] > GOAL * before["all"])


if __name__ == "__main__":
    sys.exit(main())
