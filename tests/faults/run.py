"""The whole suite of faults and attacks, and its figures.

    python tests/faults/run.py                  # at most 25 minutes on two idle cores
    python tests/faults/run.py --factor 3       # three tenths of it
    python tests/faults/run.py --write          # and the figures into docs/reliability.md

Everything is drawn from fixed seeds. Ends with 1 when something was found, and says what was left out.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
DOCS = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
WHOLE = 10
"""The factor of the whole suite; see mutations.py."""
INPUTS_OF_A_READER = 40
FUZZED = 10_000
"""Inputs of the fuzzing by coverage, in all."""
PROCESSES = 2


@dataclass(slots=True)
class Outcome:
    """What became of one file of tests."""

    name: str
    tests: int = 0
    failed: int = 0
    skipped: list[str] = field(default_factory=list)
    seconds: float = 0.0
    """Of all its tests together: twice what it takes where two run side by side."""
    killed: Counter[str] = field(default_factory=Counter)


def run_tests(factor: int, folder: Path) -> tuple[dict[str, Outcome], float]:
    """Run every file of this folder and the tests of what is shipped; outcomes by file, and seconds."""
    report = folder / "junit.xml"
    began = time.monotonic()
    subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("-n", str(PROCESSES), "--dist", "worksteal", "--junitxml", str(report)),
            *(str(HERE), str(ROOT / "tests" / "wheel" / "test_supply.py")),
        ],
        cwd=ROOT,
        env={**os.environ, "FAULTS": str(factor)},
        check=False,
    )
    return outcomes(report), time.monotonic() - began


def outcomes(report: Path) -> dict[str, Outcome]:
    """Read the report of pytest."""
    found: dict[str, Outcome] = {}
    for case in ET.parse(report).getroot().iter("testcase"):
        name = case.get("classname", "").rpartition(".")[2]
        one = found.setdefault(name, Outcome(name))
        one.tests += 1
        one.seconds += float(case.get("time", 0))
        one.failed += any(case.find(kind) is not None for kind in ("failure", "error"))
        if (skipped := case.find("skipped")) is not None:
            one.skipped.append(f"{case.get('name')}: {skipped.get('message')}")
        for entry in case.iter("property"):
            if entry.get("name") == "killed":
                one.killed[entry.get("value", "").partition(" after")[0]] += 1
    return found


def fuzz(inputs: int) -> tuple[list[dict[str, object]], str]:
    """Fuzz all readers by coverage; a result per reader, or why not."""
    done = subprocess.run(
        [sys.executable, str(HERE / "fuzz.py"), "--inputs", str(inputs)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return rows, "" if rows else done.stderr.strip().splitlines()[-1]


def table(
    found: Mapping[str, Outcome],
    rows: list[dict[str, object]],
    why_not: str,
    seconds: float,
    factor: int,
) -> str:
    """The figures as Markdown."""
    lines = [
        f"Made on {datetime.now(UTC):%Y-%m-%d} by `python tests/faults/run.py --factor {factor} --write`"
        f" in {seconds / 60:.0f} min with {os.cpu_count()} processors (the whole is `--factor {WHOLE}`).",
        "",
        "| file | tests | failed | not run | seconds of its tests |",
        "|---|--:|--:|--:|--:|",
    ]
    for one in sorted(found.values(), key=lambda one: one.name):
        lines.append(
            f"| `{one.name}` | {one.tests} | {one.failed} | {len(one.skipped)} | {one.seconds:.0f} |"
        )
    kills: Counter[str] = sum((one.killed for one in found.values()), Counter())
    hit = sum(number for what, number in kills.items() if what != "nothing")
    lines += [
        "",
        f"Killed with SIGKILL: {hit} ("
        + ", ".join(
            f"{what} {number}" for what, number in sorted(kills.items()) if what != "nothing"
        )
        + f"); {kills['nothing']} more runs were over before their moment came.",
    ]
    readers = sum("damaged" in name for name in _names())
    lines.append(
        f"Damaged files by hypothesis: {INPUTS_OF_A_READER * factor * readers:,} at most"
        f" ({readers} readers, {INPUTS_OF_A_READER * factor} each; it stops early where there are no more)."
    )
    if rows:
        total = sum(int(str(row["inputs"])) for row in rows)
        bad = [str(row["reader"]) for row in rows if row["found"]]
        lines.append(
            f"Inputs by coverage (atheris): {total:,} in {len(rows)} readers;"
            f" {len(bad)} found something{': ' + ', '.join(bad) if bad else ''}."
        )
    else:
        lines.append(f"Fuzzing by coverage was not run: {why_not}")
    skipped = [text for one in found.values() for text in one.skipped]
    lines += ["", *(f"- not run: {text}" for text in skipped)] if skipped else []
    return "\n".join(lines)


def _names() -> list[str]:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"),
            str(HERE / "test_mutated_inputs.py"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return [line for line in done.stdout.splitlines() if "test_a_damaged_file[" in line]


def main() -> int:
    """Run everything and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--factor", type=int, default=WHOLE, help="share of the whole, in tenths")
    parser.add_argument(
        "--write", action="store_true", help="put the figures into docs/reliability.md"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        found, seconds = run_tests(asked.factor, Path(folder))
        began = time.monotonic()
        rows, why_not = fuzz(FUZZED * asked.factor // WHOLE)
        seconds += time.monotonic() - began
    text = table(found, rows, why_not, seconds, asked.factor)
    print(text)
    for row in rows:
        if row["found"]:
            print(row["reader"], row["found"], file=sys.stderr)
    if asked.write:
        page = DOCS.read_text(encoding="utf-8")
        pattern = f"{re.escape(BEGIN)}.*?{re.escape(END)}"
        new = re.sub(pattern, lambda _: f"{BEGIN}\n{text}\n{END}", page, flags=re.DOTALL)
        DOCS.write_text(new, encoding="utf-8")
    return int(any(one.failed for one in found.values()) or any(row["found"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
