"""The gate from within a test: `vitals gate` in a process of its own, and its verdict as a record."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class GateVerdict:
    """What the gate found; effects as shares of base, 0.05 = 5% slower."""

    exit_code: int
    """0 nothing regressed, 1 regressed, 2 broken or other outputs, 3 the machine was too uneven."""
    summary: str
    rows: tuple[Mapping[str, Any], ...]
    """The rows of verdict.json."""
    path: Path
    """verdict.json; verdict.md and verdict.html lie beside it."""

    def surely_slower_than(self, share: float) -> list[str]:
        """Return the cells whose lower bound of the slowdown is above that share, with that bound."""
        bounds = [(row["cell"], (row["latency"] or {}).get("low")) for row in self.rows]
        return [f"{cell} (at least {low:+.1%})" for cell, low in bounds if (low or 0.0) > share]

    def undecided_about(self, share: float) -> list[str]:
        """Return the cells of which it stays open whether they are slower by that share."""
        rows = [row for row in self.rows if row["latency"] is None or _is_open(row, share)]
        return [str(row["cell"]) for row in rows]


def run_gate(
    against: str, models_from: Path, models: str, plan: str, options: Sequence[str], folder: Path
) -> GateVerdict:
    """Run the gate in `folder`. Raises RuntimeError with the end of its output if it left no verdict."""
    command = [
        *(sys.executable, "-m", "vitals", "gate", against),
        *("--models-from", str(models_from), "--models", models, "--plan", plan, "-q", *options),
    ]
    # The settings of the test run around it are not its own.
    mine = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
    latest = folder / ".vitals" / "gates" / "latest.txt"
    before = latest.stat().st_mtime_ns if latest.is_file() else None
    done = subprocess.run(
        command, cwd=folder, env=mine, capture_output=True, text=True, check=False
    )
    if not latest.is_file() or latest.stat().st_mtime_ns == before:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise RuntimeError(f"the gate left no verdict (exit code {done.returncode}):\n{tail}")
    path = latest.parent / latest.read_text(encoding="utf-8").strip() / "verdict.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    return GateVerdict(
        exit_code=document["exit_code"],
        summary=document["summary"],
        rows=tuple(document["rows"]),
        path=path,
    )


def _is_open(row: Mapping[str, Any], share: float) -> bool:
    low, high = row["latency"]["low"], row["latency"]["high"]
    return low is None or high is None or low <= share < high
