"""How far brief trainings and recoveries of tiny models scatter over seeds: the margin that a record's claims need.

    python tests/suite/spread_over_seeds.py --models lstm,gru --seeds 0-7 [--recovery 80,160] [--rows rows.jsonl]
    ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 python tests/suite/spread_over_seeds.py ...
    python tests/suite/spread_over_seeds.py --table rows.jsonl

Nothing is kept and nothing is claimed: a model is trained from its seed and judged, pruned as its record says,
recovered and judged again. A line is printed per seed and, with `--rows`, appended to that file as soon as it is known.
The table has mean and standard deviation over the rows of each model, data set and instruction set, and whether the
record's limit lies at least three of them away.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import statistics
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from suite.axes import ORIGINAL
from suite.catalog import spec_for
from suite.cell import Cell
from suite.data.sources import sources_in
from suite.pruning.engine import prune_module
from suite.quality import drop, gain
from suite.spec import Size
from suite.stages.prune import recover
from suite.states import store
from suite.training.early_stopping import train_watched
from suite.training.quality import module_forward, quality, trivial_quality
from suite.training.setup import training_setup_for
from suite.worker.job_options import JobOptions
from suite.worker.protocol import CellJob

GAIN = "gain over untrained and trivial"
DROP = "drop, pruned"
SPREADS = 3.0
"""Standard deviations between the mean and a record's limit: a run fails by chance about once in 700."""


def trial(name: str, seed: int, recoveries: list[int], data: Path | None) -> dict[str, Any]:
    """One row: gain as trained and, by number of recovery steps, drop of the pruned model, in the task's unit.

    With `recoveries` [0] the model is not pruned; empty = the steps of the record.
    """
    spec = spec_for(name, "")
    size = spec.sizes["tiny"]
    job = CellJob(
        runner="",
        cell=Cell(model=name, size="tiny"),
        options=JobOptions(seed=seed, sources=sources_in(data)),
    )
    source = store.source_of(job, spec)
    setup = training_setup_for(job, spec, source, size.training)
    module = store.module_of(job, spec, ORIGINAL)
    test = setup.test()
    untrained, trivial = quality(spec, module_forward(module), test), trivial_quality(spec, test)
    with tempfile.TemporaryDirectory() as folder:
        train_watched(setup, setup.train_state(module), Path(folder, "checkpoint"))
    trained = quality(spec, module_forward(module), test)
    gains = [gain(spec.task, before, trained) for before in (untrained, trivial)]
    found = {GAIN: min(gains)}
    for steps in recoveries or [size.pruning.recovery_steps]:
        if not steps:
            continue
        rate = size.pruning.learning_rate
        settings = replace(size.training, learning_rate=rate)
        again = training_setup_for(job, spec, source, settings, steps=steps)
        smaller = prune_module(copy.deepcopy(module), spec, "tiny", test[0].inputs).module
        recover(again, smaller)
        after = quality(spec, module_forward(smaller), test)
        found[f"{DROP} + {steps} steps"] = drop(spec.task, trained, after)
    return {
        "model": name,
        "seed": seed,
        "data": source.name,
        "instructions": instructions(),
        "trained": trained,
        "found": found,
    }


def instructions() -> str:
    """The instruction set of PyTorch's own kernels, and the one that oneDNN is held to, if it is."""
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "")
    return " ".join((torch.backends.cpu.get_cpu_capability(), *([f"oneDNN {limit}"] * bool(limit))))


def limit_of(size: Size, what: str) -> float:
    """The least gain, or the largest drop, that the record of a tiny model allows."""
    return size.training.margin if what == GAIN else size.pruning.max_drop


def table(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The lines of the Markdown table."""
    groups: dict[tuple[str, ...], list[float]] = {}
    for row in rows:
        for what, value in row["found"].items():
            key = (row["model"], row["data"], row["instructions"], what)
            groups.setdefault(key, []).append(value)
    yield "| model | data | instructions | what | seeds | mean | spread | limit | spreads away |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for key, values in sorted(groups.items()):
        limit = limit_of(spec_for(key[0], "").sizes["tiny"], key[3])
        mean = statistics.mean(values)
        spread = statistics.stdev(values) if len(values) > 1 else float("nan")
        room = mean - limit if key[3] == GAIN else limit - mean
        away = room / spread if spread else float("nan")
        mark = "" if away >= SPREADS else " (!)"
        yield (
            f"| {' | '.join(key)} | {len(values)} | {mean:.3g} | {spread:.2g} | {limit:g} | {away:.1f}{mark} |"
        )


def main() -> None:
    """Prints a line per seed, then the table; or the table of rows that are there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default="")
    parser.add_argument("--seeds", default="0-7")
    parser.add_argument("--recovery", default="")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rows", type=Path)
    parser.add_argument("--table", type=Path)
    asked = parser.parse_args()
    if asked.table:
        print("\n".join(table(map(json.loads, asked.table.read_text().splitlines()))))
        return
    first, _, last = asked.seeds.partition("-")
    recoveries = [int(steps) for steps in asked.recovery.split(",") if steps]
    torch.set_num_threads(1)
    rows = []
    for name in filter(None, asked.models.split(",")):
        for seed in range(int(first), int(last or first) + 1):
            rows.append(trial(name, seed, recoveries, asked.data))
            print(json.dumps(rows[-1]), flush=True)
            if asked.rows:
                with asked.rows.open("a") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
    print("\n".join(table(rows)))


if __name__ == "__main__":
    main()
