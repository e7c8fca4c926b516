"""Recall of the gate by wall time over models: `python tests/speed/gate_recall.py [--models NAMES] [--percents 5,10]`.

A row is a model of the catalogue at tiny on a backend; in every pass head does that much more work than base, of one of
five kinds (injected_work.py). Rows are screened and confirmed as the gate does it, while a second process loads one
core on and off. A row that is not REGRESSED has to be INCONCLUSIVE: NO-REGRESSION is a miss that nobody sees.
`--append FILE` keeps the rows with date and machine and prints the table of all of them, `--table FILE` only that.
Goals: 0.80 of those with 5% more work, 0.95 of those with 10%.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from equal_arms import equal_arms, tiny_cells  # noqa: E402
from gate import load  # noqa: E402
from injected_turns import Injection  # noqa: E402
from injected_work import kinds  # noqa: E402
from witness import MODELS  # noqa: E402

from bench.gate.budget import BUDGETS  # noqa: E402
from bench.gate.pairing import run_block, run_control  # noqa: E402
from bench.gate.power import probability_bound  # noqa: E402
from bench.gate.row import Row  # noqa: E402
from bench.gate.schedule import Schedule  # noqa: E402
from bench.gate.thresholds import Thresholds  # noqa: E402
from bench.gate.verdict import Verdict  # noqa: E402
from bench.stats import median  # noqa: E402
from suite.worker.job_options import JobOptions  # noqa: E402
from tests.machine import processor  # noqa: E402

GOALS = {5.0: 0.80, 10.0: 0.95}
KINDS = ("loop", "objects", "bytes", "torch", "numpy")


class Injecting:
    """A worker whose jobs do the injected work of the row that is being measured."""

    def __init__(self, worker, arm):
        self.worker, self.is_added, self.injection = worker, arm == "head", None

    def run(self, job, *more):
        if self.injection is not None:
            asked = replace(self.injection, is_added=self.is_added)
            options: JobOptions = job.options.extended(asked)
            job = replace(job, runner="injected_turns:run", options=options)
        return self.worker.run(job, *more)

    def close(self):
        self.worker.close()


def measured(given):
    """Take every row's blocks; return one line per row."""
    selection, budget = tiny_cells(given.models, given.backend), BUDGETS[given.plan]
    with equal_arms(selection, given.plan, ("injected_turns",)) as arms:
        for name, arm in arms.items():
            arm.session.worker = Injecting(arm.worker, name)
        rows, injected = [], {}
        for percent in given.percents:
            for cell in selection.cells:
                row = Row(cell=cell, limits=Thresholds().for_cell(cell))
                kind = KINDS[(len(rows) + given.first_kind) % len(KINDS)]
                injected[id(row)] = Injection(kind=kind, percent=percent, is_added=False)
                rows.append(row)

        def inject(what):
            for arm in arms.values():
                arm.session.worker.injection = what

        def take_block(row, number):
            inject(injected[id(row)])
            return run_block(arms, row.cell, number=number, length=budget.block)

        def take_control(number):
            inject(None)
            return run_control(arms, number, budget)

        Schedule(
            rows=rows,
            budget=budget,
            take_block=take_block,
            take_control=take_control,
            say=lambda text: print(f"  {text}", file=sys.stderr, flush=True),
        ).run()
    return [line_of(row, injected[id(row)]) for row in rows]


def line_of(row, injection):
    """One line of the file of rows."""
    found = row.finding
    return {
        "model": row.cell.model,
        "backend": row.cell.backend,
        "kind": injection.kind,
        "percent": injection.percent,
        "verdict": row.verdict.value if row.verdict and row.is_timed else "",
        "why": row.broken or row.skipped,
        "effect": math.expm1(found.estimate) if found else None,
        "blocks": len(row.screen) + len(row.confirm),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": processor(),
    }


def table(rows):
    """The lines of the Markdown table, then every row that was not told."""
    groups = defaultdict(list)
    for row in rows:
        groups[row["percent"]].append(row)
    columns = ("head does", "rows", "models", "REGRESSED", "INCONCLUSIVE", "passed unseen")
    columns += ("recall", "at least (95%)", "goal", "effect measured, median")
    yield f"| {' | '.join(columns)} |"
    yield f"|---{'|--:' * (len(columns) - 1)}|"
    for percent, found in sorted(groups.items()):
        judged = [row for row in found if row["verdict"]]
        told = sum(row["verdict"] == Verdict.REGRESSED for row in judged)
        open_rows = sum(row["verdict"] == Verdict.INCONCLUSIVE for row in judged)
        least = 1 - probability_bound(len(judged) - told, len(judged))
        effect = median([row["effect"] for row in judged])
        numbers = (
            *(len(judged), len({row["model"] for row in judged}), told, open_rows),
            len(judged) - told - open_rows,
            *(f"{told / len(judged):.2f}", f"{least:.2f}", f"{GOALS.get(percent, '')}"),
            f"{effect:+.1%}",
        )
        yield f"| {percent:g}% more | {' | '.join(map(str, numbers))} |"
    for row in rows:
        if row["verdict"] != Verdict.REGRESSED:
            effect = "unknown" if row["effect"] is None else f"{row['effect']:+.1%}"
            yield (
                f"- {row['model']} on {row['backend']}, +{row['percent']:g}% ({row['kind']}):"
                f" {row['verdict'] or row['why']}, measured {effect} in {row['blocks']} blocks"
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default=MODELS)
    parser.add_argument("--backend", default="eager,onnxruntime")
    parser.add_argument("--plan", default="quick", choices=BUDGETS)
    parser.add_argument(
        "--percents",
        type=lambda text: [float(part) for part in text.split(",")],
        default=list(GOALS),
    )
    parser.add_argument("--first-kind", type=int, default=0, help="so that sittings differ")
    parser.add_argument("--quiet", action="store_true", help="no second process")
    parser.add_argument("--append", type=Path)
    parser.add_argument("--table", type=Path)
    given = parser.parse_args()
    assert set(KINDS) == set(kinds())
    rows, kept = [], given.table or given.append
    if not given.table:
        with load(quiet=given.quiet):
            rows = measured(given)
    if given.append:
        with given.append.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    if kept:
        rows = [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()]
    print("\n".join(table(rows)))


if __name__ == "__main__":
    main()
