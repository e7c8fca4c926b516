"""What counted instructions see on this machine: `python tests/speed/witness.py [--models mlp,cnn] [--processes 4]`.

Every model is counted in several processes under callgrind, at whatever load there is: as it is, and with known shares
of instructions added (1, 2, 5 and 10%) by five kinds of work at different places of the pass (injected_work.py). The
gate's own rule (`judge_work`) then judges

- every two processes as they are against two others: false alarms
- every two processes with work of one kind and size against the other two as they are: recall
- all processes with it against all as they are, as a row that regressed is confirmed

Pairs share processes, so verdicts are more than there are injections; both numbers are printed. `--percents ""` counts
passes as they are and nothing else, with the gate's own instrument: the spread of equal work over processes. `--append`
adds unchanged rows to the ledger (gate_ledger.py): two processes against two others, none of them twice, so that n
processes make n // 4 rows.

Rows are kept in OUT/witness.jsonl; a second call goes on with the processes that are missing. A process takes 10 s to
a minute of processor time, more for large models, most of it building, warming up and counting.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import gate_ledger  # noqa: E402
from injected_work import InjectionOptions  # noqa: E402
from witness_tables import independent_rows, recall_table, spread_table  # noqa: E402

from bench.gate.arm import COUNT_PRELOAD, fixed_address_prefix  # noqa: E402
from bench.gate.valgrind import find_valgrind  # noqa: E402
from bench.gate.witness import count_once  # noqa: E402
from bench.instruments.results import InstructionsResult  # noqa: E402
from bench.stats import median  # noqa: E402
from suite.axes import BACKENDS, EXPORT  # noqa: E402
from suite.engine.run_config import RunConfig  # noqa: E402
from suite.engine.session import Session  # noqa: E402
from suite.engine.steps import graph_cell  # noqa: E402
from suite.options import Asked, resolve  # noqa: E402
from suite.runs.store import RunFolder  # noqa: E402
from suite.worker.client import Launcher  # noqa: E402

DEADLINE = 1200.0
MODELS = "mlp,lstm,gru,rnn,cnn,dcgan,bert,resnet18,transformer,gpt2,yolo,unet"
"""The cheapest first: what is stopped has whole models."""


def counted(options):
    """Run the processes that are missing; return (model, backend) -> one row per process, None for one that failed."""
    rows = known(options.out)
    asked = options.models.split(",")
    place = {name: number for number, name in enumerate(asked)}
    selection = resolve(
        Asked(models=asked, size="tiny", backend=options.backend, threads=1),
        num_gpus=0,
        num_cores=1,
    )
    missing = [
        (number, cell)
        for cell in sorted(selection.cells, key=lambda cell: place.get(cell.model, len(place)))
        for number in range(options.processes)
        if len(rows[cell.model, cell.backend]) <= number
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
    graphs = {graph_cell(cell) for _, cell in missing if BACKENDS[cell.backend].needs_graph}
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
            preload=(*selection.preload(), *COUNT_PRELOAD, "injected_work"),
            log=run.logs / "callgrind.log",
            prefix=(*fixed_address_prefix(), *valgrind.prefix(Path(folder))),
            variables={"PYTHONHASHSEED": "0", **valgrind.variables(Path(folder))},
            start_deadline=valgrind.start_deadline,
        )
        session.worker = launcher
        for number, cell in missing:
            key = (cell.model, cell.backend)
            if None in rows[key]:
                continue
            found, why = one_process(session, cell, options.percents, number)
            if why:
                print(f"{cell.id}: {why}", flush=True)
                rows[key].append(None)
                continue
            line = {
                "model": cell.model,
                "backend": cell.backend,
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "load": round(os.getloadavg()[0], 2),
                **found,
            }
            rows[key].append(line)
            with (options.out / "witness.jsonl").open("a") as file:
                file.write(json.dumps(line) + "\n")
            print(
                f"{cell.id}: {median(line['counts']):,.0f} at load {line['load']:.1f}", flush=True
            )
        launcher.close(at_once=True)
    return rows


def one_process(session, cell, percents, number):
    """Return what one fresh process counts, and why it does not."""
    if not percents:
        record = count_once(session, cell)
        result = record.result
        if isinstance(result, InstructionsResult) and result.counts:
            return {
                "counts": list(result.counts),
                "functions": dict(result.functions),
                "operators": dict(result.operators),
            }, ""
    else:
        record = session.attempt(
            cell,
            "latency",
            runner="injected_work:run",
            label="injected",
            options=InjectionOptions(percents=percents, number=number),
        )
        found = getattr(record.result, "data", None) or {}
        if "counts" in found:
            return dict(found), ""
    return {}, record.failure.message if record.failure else record.outcome.value


def known(out):
    rows = defaultdict(list)
    if (out / "witness.jsonl").is_file():
        for line in (out / "witness.jsonl").read_text().splitlines():
            row = json.loads(line)
            rows[row["model"], row["backend"]].append(row)
    return rows


def unchanged(rows):
    """Number of independent unchanged rows by verdict: see `independent_rows`."""
    return Counter(verdict.value for one in rows.values() for verdict in independent_rows(one))


def append(rows, mark):
    """Add the unchanged rows that are not in the ledger yet; `mark` is the file that says which are."""
    found = unchanged(rows)
    earlier = Counter(json.loads(mark.read_text())) if mark.is_file() else Counter()
    loads = [row["load"] for one in rows.values() for row in one if row]
    gate_ledger.add(
        gate_ledger.sitting(
            found - earlier,
            witness=gate_ledger.INSTRUCTIONS,
            load=f"load {min(loads):.1f} to {max(loads):.1f}" if loads else "",
            what=f"{len(rows)} pairs of model and backend at tiny; no process twice",
        )
    )
    mark.write_text(json.dumps(found))


def percents_of(text):
    return tuple(float(part) for part in text.split(",") if part.strip())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default=MODELS)
    parser.add_argument("--backend", default="eager,onnxruntime")
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument(
        "--percents", type=percents_of, default=(1.0, 2.0, 5.0, 10.0), help='"": nothing is added'
    )
    parser.add_argument("--table", action="store_true", help="print what is kept; count nothing")
    parser.add_argument(
        "--append", action="store_true", help="add the new unchanged rows to the ledger"
    )
    parser.add_argument("--out", type=Path, default=ROOT / ".vitals" / "witness")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows = known(options.out) if options.table else counted(options)
    if options.append:
        append(rows, options.out / "in-ledger.json")
    print(recall_table(rows, options.percents) if options.percents else spread_table(rows))


if __name__ == "__main__":
    main()
