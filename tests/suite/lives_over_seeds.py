"""Whole lives of tiny models over seeds and instruction sets: which step is red, how often.

    python tests/suite/lives_over_seeds.py --rows rows.jsonl --changes changes.jsonl [--models mlp,cnn] [--seeds 0-3]
                                           [--data FOLDER]
    ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 python tests/suite/lives_over_seeds.py --rows rows.jsonl ...
    python tests/suite/lives_over_seeds.py --table docs/results/lives.jsonl

The models of a seed live in one run, `pytest suite --models NAMES --size tiny --seed SEED` from nothing, with one
thread. Every life becomes a row when its run is over: how many steps ended how, and the reason of each red one. A life
that has a row is not run again, and of a run that was stopped the lives that were over are taken, so a stopped script
goes on where it was (`--run` takes a run that is there). Goal: 99.5% of the steps that were tried are green. A step
behind a red one was not tried. Rows of all days and machines are kept in docs/results/lives.jsonl.

To `--changes` goes what each step did to the metric, in rows of spread_over_seeds.py, whose `--table` shows how far
from the records' limits they are.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from spread_over_seeds import changed

from suite.catalog import builtin_specs

ROOT: Final = Path(__file__).resolve().parents[2]
GOAL: Final = 0.995
RED: Final = frozenset({"failed", "crashed", "timed_out", "out_of_memory"})
GREEN: Final = "passed"


def instructions() -> str:
    """What PyTorch and oneDNN are held to; `native` where nothing is."""
    held = [os.environ.get(name, "") for name in ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA")]
    return " ".join(filter(None, held)) or "native"


def live(name: str, seed: int, data: Path | None) -> list[dict[str, Any]]:
    """Run one life and return its records; raise RuntimeError if nothing was recorded."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pytest", "suite", "-q", "-p", "no:cacheprovider"]
        options = ["--models", name, "--size", "tiny", "--seed", str(seed), "--threads", "1"]
        place = ["--data", str(data)] if data else []
        subprocess.run(
            [*command, *options, *place, "--out", folder],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        files = list(Path(folder).glob("runs/*/records.jsonl"))
        if not files:
            raise RuntimeError(f"{name}, seed {seed}: no record; run it by hand to see why")
        return records_in(files[0])


def records_in(file: Path) -> list[dict[str, Any]]:
    """The records of a run, as JSON."""
    return [json.loads(line) for line in file.read_text().splitlines()]


def row_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a record: the step, how it ended, and the claims that did not hold."""
    claims = (record.get("result") or {}).get("claims") or ()
    broken = [f"{c['name']}: {c['evidence']}" for c in claims if not c["holds"]]
    failure = (record.get("failure") or {}).get("message", "")
    return {
        "step": f"{record['step']} {record['cell']['variant']}",
        "outcome": record["outcome"],
        "why": "; ".join(broken) or shortened(str(failure)),
    }


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
        found[row["outcome"]] += 1
        found[f"life {row['model']}"] = 1
        if row["outcome"] in RED:
            red.append(row)
    yield "| instructions | data | seed | lives | green | red | not run | declared gaps |"
    yield "|---|---|--:|--:|--:|--:|--:|--:|"
    green = bad = 0
    for key, found in sorted(groups.items()):
        lives = sum(name.startswith("life ") for name in found)
        failed = sum(found[name] for name in RED)
        green, bad = green + found[GREEN], bad + failed
        rest = (found["not_run"], found["unsupported"] + found["unavailable"])
        numbers = (lives, found[GREEN], failed, *rest)
        yield f"| {' | '.join(map(str, (*key, *numbers)))} |"
    if green + bad:
        share = green / (green + bad)
        yield f"\n{green} of {green + bad} steps green: {share:.2%} (goal {GOAL:.1%})."
    for row in red:
        yield f"- {row['model']}, seed {row['seed']}, {row['instructions']}, {row['step']}: {row['why']}"


def main() -> None:
    """Run the lives that have no rows yet, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default="")
    parser.add_argument("--seeds", default="0-3")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rows", type=Path)
    parser.add_argument("--changes", type=Path)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--table", type=Path)
    asked = parser.parse_args()
    file = asked.table or asked.rows
    if file is None:
        parser.error("--rows FILE or --table FILE")
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    known = {(r["model"], r["seed"], r["data"], r["instructions"]) for r in rows}
    names = asked.models.split(",") if asked.models else [spec.name for spec in builtin_specs()]
    first, _, last = asked.seeds.partition("-")
    for seed in range(int(first), int(last or first) + 1) if not asked.table else ():
        for name in names:
            about = {
                "model": name,
                "seed": seed,
                "data": asked.data is not None,
                "instructions": instructions(),
            }
            if tuple(about.values()) in known:
                continue
            if asked.run:
                records = [
                    one
                    for one in records_in(asked.run / "records.jsonl")
                    if one["cell"]["model"] == name
                ]
            else:
                records = live(name, seed, asked.data)
            found = [{**about, **row_of(record)} for record in records]
            rows += found
            append(file, found)
            if asked.changes:
                changes = (changed(record, seed, instructions()) for record in records)
                append(asked.changes, [one for one in changes if one])
    print("\n".join(table(rows)))


def append(file: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add rows to a file of JSON lines."""
    with file.open("a") as out:
        out.writelines(json.dumps(row) + "\n" for row in rows)


if __name__ == "__main__":
    main()
