"""The ledger of unchanged rows: `python tests/speed/gate_ledger.py` prints what all sittings together say.

docs/results/gate-ledger.jsonl has one line per sitting of gate.py (wall time) or witness.py (instructions): when, which
commit, on what machine, and its rows by verdict. Both arms of every row are the same code, so each REGRESSED is a false
alarm. Rows of one sitting share a machine and, with instructions, never a process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from bench.gate.power import probability_bound  # noqa: E402
from tests.machine import processor  # noqa: E402

LEDGER = ROOT / "docs" / "results" / "gate-ledger.jsonl"
TIME, INSTRUCTIONS = "time", "instructions"


def sitting(rows, *, witness, load, what, plan=""):
    """One line of the ledger; `rows` is verdict -> number."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short=10", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "commit": commit,
        "machine": processor(),
        "load": load,
        "plan": plan,
        "witness": witness,
        "what": what,
        "rows": {name: number for name, number in sorted(rows.items()) if number},
    }


def add(line, ledger=LEDGER):
    """Append the sitting, if it has rows."""
    if line["rows"]:
        with ledger.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def summary(ledger=LEDGER):
    """A table of all rows per witness, and both together."""
    sittings = [json.loads(text) for text in ledger.read_text(encoding="utf-8").splitlines()]
    lines = [
        "| witness | sittings | rows | REGRESSED | at most (95%) | INCONCLUSIVE | first | last |",
        "|---|--:|--:|--:|--:|--:|---|---|",
    ]
    for title, chosen in (
        *((name, [s for s in sittings if s["witness"] == name]) for name in (TIME, INSTRUCTIONS)),
        ("both", sittings),
    ):
        if not chosen:
            continue
        rows = sum((Counter(s["rows"]) for s in chosen), Counter())
        number, alarms = rows.total(), rows["REGRESSED"]
        dates = sorted(s["date"] for s in chosen)
        lines.append(
            f"| {title} | {len(chosen)} | {number} | {alarms} | {probability_bound(alarms, number):.2%}"
            f" | {rows['INCONCLUSIVE']} | {dates[0]} | {dates[-1]} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(summary())
