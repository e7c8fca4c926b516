"""What counted instructions see on this machine: `python tests/speed/witness.py [--models mlp,cnn] [--processes 4]`.

Every model is counted in several processes under callgrind, as it is and with a known share of instructions added
(1, 2, 5 and 10%), at whatever load there is. Printed are the spread of equal work over processes, and of every pair of
two processes against two others the gate's own verdict (`judge_work`): recall per share, false alarms at none.

Rows are kept in OUT/witness.jsonl; a second call goes on with the processes that are missing. A model takes about a
minute of processor time per process, most of it building and warming up.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import defaultdict
from itertools import combinations
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from injected_work import InjectionOptions  # noqa: E402

from bench.gate.thresholds import DEFAULTS, WORK, WORK_OPERATOR  # noqa: E402
from bench.gate.valgrind import find_valgrind  # noqa: E402
from bench.gate.verdict import Verdict  # noqa: E402
from bench.gate.work import Count, judge_work  # noqa: E402
from bench.stats import median  # noqa: E402
from suite.axes import BACKENDS, EXPORT  # noqa: E402
from suite.engine.run_config import RunConfig  # noqa: E402
from suite.engine.session import Session  # noqa: E402
from suite.engine.steps import graph_cell  # noqa: E402
from suite.options import Asked, resolve  # noqa: E402
from suite.runs.store import RunFolder  # noqa: E402
from suite.worker.client import Launcher  # noqa: E402

PERCENTS = (1.0, 2.0, 5.0, 10.0)
DEADLINE = 1200.0
MODELS = "mlp,cnn,lstm,gru,rnn,transformer,resnet18,bert,gpt2,yolo,unet,dcgan"


def counted(options):
    """Run the processes that are missing; return (model, backend) -> one row of counts per process."""
    rows = known(options.out)
    selection = resolve(
        Asked(models=options.models.split(","), size="tiny", backend=options.backend, threads=1),
        num_gpus=0,
        num_cores=1,
    )
    missing = [
        cell
        for _ in range(options.processes)
        for cell in selection.cells
        if len(rows[cell.model, cell.backend]) < options.processes
    ]
    if not missing:
        return rows
    run = RunFolder(options.out)
    for folder in (run.onnx, run.logs):
        folder.mkdir(parents=True, exist_ok=True)
    request = RunConfig(
        specs=selection.specs,
        options=selection.job_options,
        deadline=DEADLINE,
        cold_replicates=1,
        cache=str(options.out / "cache"),
        states=str(options.out / "states"),
    )
    graphs = {graph_cell(c) for c in missing if BACKENDS[c.backend].needs_graph}
    exporter = Launcher(preload=selection.preload(), log=run.logs / "launcher.log")
    session = Session(request=request, folder=run, worker=exporter)
    for cell in sorted(graphs, key=lambda c: c.id):
        print(f"{EXPORT}: {cell.id}", flush=True)
        session.measure(cell, EXPORT)
    exporter.close()
    valgrind = find_valgrind()
    with tempfile.TemporaryDirectory() as folder:
        launcher = Launcher(
            paths=(Path(__file__).parent,),
            preload=(*selection.preload(), "injected_work"),
            log=run.logs / "callgrind.log",
            prefix=valgrind.prefix(Path(folder)),
            variables={"PYTHONHASHSEED": "0", **valgrind.variables(Path(folder))},
            start_deadline=valgrind.start_deadline,
        )
        session.worker = launcher
        for cell in missing:
            key = (cell.model, cell.backend)
            if len(rows[key]) >= options.processes:
                continue
            record = session.attempt(
                cell,
                "latency",
                runner="injected_work:run",
                label="injected",
                options=InjectionOptions(percents=PERCENTS),
            )
            found = getattr(record.result, "data", None) or {}
            if "counts" not in found:
                print(
                    f"{cell.id}: {record.failure.message if record.failure else found}", flush=True
                )
                rows[key] += [None] * options.processes
                continue
            rows[key].append(found["counts"])
            load = os.getloadavg()[0]
            line = {"model": cell.model, "backend": cell.backend, "load": load, **found}
            with (options.out / "witness.jsonl").open("a") as file:
                file.write(json.dumps(line) + "\n")
            print(f"{cell.id}: {median(found['counts']['0']):,.0f} at load {load:.1f}", flush=True)
        launcher.close(at_once=True)
    return rows


def known(out):
    rows = defaultdict(list)
    if (out / "witness.jsonl").is_file():
        for line in (out / "witness.jsonl").read_text().splitlines():
            row = json.loads(line)
            rows[row["model"], row["backend"]].append(row["counts"])
    return rows


def verdicts(processes, percent):
    """The verdicts of every two processes against every two others, which did that much more."""
    found = []
    for base in combinations(range(len(processes)), 2):
        for head in combinations([n for n in range(len(processes)) if n not in base], 2):
            arms = (
                [Count(counts=tuple(processes[n]["0"])) for n in base],
                [Count(counts=tuple(processes[n][percent])) for n in head],
            )
            found.append(
                judge_work(*arms, limit=DEFAULTS[WORK], operator_limit=DEFAULTS[WORK_OPERATOR])
            )
    return [work.verdict for work in found]


def table(rows):
    percents = ["0", *(f"{p:g}" for p in PERCENTS)]
    titles = ["REGRESSED at none", *(f"at +{p}%" for p in percents[1:])]
    lines = [
        f"| model | backend | instructions | spread | processes | {' | '.join(titles)} |",
        f"|---|---|{'--:|' * (3 + len(titles))}",
    ]
    total = {p: [0, 0] for p in percents}
    for (model, backend), processes in sorted(rows.items()):
        kept = [p for p in processes if p]
        if len(kept) < 4:
            continue
        middles = [median(p["0"]) for p in kept]
        cells = []
        for percent in percents:
            found = verdicts(kept, percent)
            hits = sum(v is Verdict.REGRESSED for v in found)
            total[percent][0] += hits
            total[percent][1] += len(found)
            cells.append(f"{hits} of {len(found)}")
        spread = (max(middles) - min(middles)) / median(middles)
        lines.append(
            f"| {model} | {backend} | {median(middles):,.0f} | {spread:.3%} | {len(kept)}"
            f" | {' | '.join(cells)} |"
        )
    sums = " | ".join(f"{hits} of {of}" for hits, of in total.values())
    return "\n".join([*lines, f"| all | | | | | {sums} |"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default=MODELS)
    parser.add_argument("--backend", default="eager,onnxruntime")
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--out", type=Path, default=ROOT / ".vitals" / "witness")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    print(table(counted(options)))


if __name__ == "__main__":
    main()
