"""Whole lives of tiny models over seeds and instruction sets: which step is red, how often.

    python tests/suite/lives_over_seeds.py --rows rows.jsonl --changes changes.jsonl [--models mlp,cnn] [--seeds 0-3]
                                           [--data FOLDER] [--runs FOLDER]
    ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 python tests/suite/lives_over_seeds.py --rows rows.jsonl ...
    python tests/suite/lives_over_seeds.py --table docs/results/lives.jsonl

All models of a seed live in one run, `pytest suite --size tiny --seed SEED` with one thread, from nothing. Every life
becomes a row when its run is over: how many of its steps ended how, and the reason of each red one. A life that has a
row is not run again. With `--runs` runs are kept there, and of one that was stopped the lives of which every planned
step has a record are taken. Goal: 99.5% of the steps that were tried are green. A step behind a red one was not tried.
Rows of all days and machines are kept in docs/results/lives.jsonl.

To `--changes` goes what each step did to the metric, in rows of spread_over_seeds.py, whose `--table` shows how far
from the records' limits they are.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from spread_over_seeds import append, changed, identity, instructions, rows_of, seeds_of

from suite.catalog import builtin_specs
from tests.machine import processor

ROOT: Final = Path(__file__).resolve().parents[2]
GOAL: Final = 0.995
RED: Final = frozenset({"failed", "crashed", "timed_out", "out_of_memory"})
GREEN: Final = "passed"
GAPS: Final = ("unsupported", "unavailable")


def live(names: Sequence[str], seed: int, data: Path | None, folder: Path) -> Path:
    """Run the lives of these models in `folder` and return the folder of the run; raise RuntimeError without one."""
    options = ["--models", ",".join(names), "--size", "tiny", "--seed", str(seed), "--threads", "1"]
    subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "suite", "-q", "-p", "no:cacheprovider"),
            *options,
            *(["--data", str(data)] if data else []),
            *("--out", str(folder)),
        ],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    found = run_in(folder)
    if found is None:
        raise RuntimeError(f"seed {seed}: no record; run it by hand to see why: {options}")
    return found


def lives_of(
    names: Sequence[str], seed: int, data: Path | None, runs: Path | None
) -> dict[str, list[dict[str, Any]]]:
    """Return the records of these lives, those that a kept run has and those of a run of the others."""
    with tempfile.TemporaryDirectory() as scratch:
        place = "-".join((*instructions().split(), str(seed), *(["data"] if data else [])))
        folder = (runs or Path(scratch)) / place
        kept = run_in(folder)
        found = lives_in(kept) if kept else {}
        rest = [name for name in names if name not in found]
        if rest:
            found |= lives_in(live(rest, seed, data, folder))
    return {name: found[name] for name in names if name in found}


def run_in(folder: Path) -> Path | None:
    """The newest run in a folder of results; None if there is none."""
    return max((file.parent for file in folder.glob("runs/*/records.jsonl")), default=None)


def lives_in(run: Path) -> dict[str, list[dict[str, Any]]]:
    """Model -> records of its life, of every model of which all planned steps have a record."""
    planned = json.loads((run / "run.json").read_text())["planned"]
    num_steps = Counter(one["cell"]["model"] for one in planned)
    found: dict[str, list[dict[str, Any]]] = {}
    for record in rows_of(run / "records.jsonl"):
        found.setdefault(record["cell"]["model"], []).append(record)
    return {name: records for name, records in found.items() if len(records) >= num_steps[name]}


def step_of(record: Mapping[str, Any]) -> str:
    """Name of a step within a life: stage, state and backend."""
    cell = record["cell"]
    return f"{record['step']} {cell['variant']} {cell['backend']}"


def life_of(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is kept of a life: how many steps ended how, and every red one with the claims that did not hold."""
    return {
        "outcomes": dict(Counter(record["outcome"] for record in records)),
        "red": [
            {"step": step_of(one), "why": reason_of(one)}
            for one in records
            if one["outcome"] in RED
        ],
        "seconds": round(sum(record["seconds"] for record in records), 1),
    }


def reason_of(record: Mapping[str, Any]) -> str:
    """The claims of a record that did not hold; without one, how it failed."""
    claims = (record.get("result") or {}).get("claims") or ()
    broken = [f"{c['name']}: {c['evidence']}" for c in claims if not c["holds"]]
    failure = (record.get("failure") or {}).get("message", "")
    return "; ".join(broken) or shortened(str(failure))


def shortened(text: str, half: int = 300) -> str:
    """Return both ends of a long message: a compiler names its command first and the error last."""
    return text if len(text) <= 2 * half else f"{text[:half]} ... {text[-half:]}"


def table(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The lines of the Markdown table, then every red step with its reason."""
    groups: dict[tuple[Any, ...], Counter[str]] = {}
    red = []
    for row in rows:
        key = (row["instructions"], "folder" if row["data"] else "embedded", row["seed"])
        found = groups.setdefault(key, Counter())
        found.update(row["outcomes"])
        found["lives"] += 1
        red += [
            f"- {row['model']}, seed {row['seed']}, {row['instructions']}, {one['step']}: {one['why']}"
            for one in row["red"]
        ]
    yield "| instructions | data | seed | lives | green | red | not run | declared gaps |"
    yield "|---|---|--:|--:|--:|--:|--:|--:|"
    green = bad = 0
    for key, found in sorted(groups.items()):
        failed = sum(found[name] for name in RED)
        green, bad = green + found[GREEN], bad + failed
        gaps = sum(found[name] for name in GAPS)
        numbers = (found["lives"], found[GREEN], failed, found["not_run"], gaps)
        yield f"| {' | '.join(map(str, (*key, *numbers)))} |"
    if green + bad:
        share = green / (green + bad)
        yield f"\n{green} of {green + bad} steps green: {share:.2%} (goal {GOAL:.1%})."
    yield from red


def main() -> None:
    """Run the lives that have no row yet, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default="")
    parser.add_argument("--seeds", default="0-3")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rows", type=Path)
    parser.add_argument("--changes", type=Path)
    parser.add_argument("--runs", type=Path)
    parser.add_argument("--table", type=Path)
    asked = parser.parse_args()
    file = asked.table or asked.rows
    if file is None:
        parser.error("--rows FILE or --table FILE")
    names = asked.models.split(",") if asked.models else [spec.name for spec in builtin_specs()]
    for seed in () if asked.table else seeds_of(asked.seeds):
        about = {"seed": seed, "data": asked.data is not None, "instructions": instructions()}
        rows = [row for row in rows_of(file) if all(row[name] == about[name] for name in about)]
        missing = [name for name in names if name not in {row["model"] for row in rows}]
        if missing:
            lives = lives_of(missing, seed, asked.data, asked.runs)
            today = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": processor()}
            append(
                file,
                [
                    {"model": name, **about, **today, **life_of(records)}
                    for name, records in lives.items()
                ],
            )
            if asked.changes:
                known = set(map(identity, rows_of(asked.changes)))
                changes = (
                    changed(record, seed, instructions())
                    for records in lives.values()
                    for record in records
                )
                new = [one for one in changes if one and identity(one) not in known]
                append(asked.changes, [{**one, **today} for one in new])
    print("\n".join(table(rows_of(file))))


if __name__ == "__main__":
    main()
