"""How far brief trainings and recoveries of tiny models scatter over seeds: the margin that a record's claims need.

    python tests/suite/spread_over_seeds.py --rows rows.jsonl --states FOLDER [--models lstm,gru] [--seeds 0-7]
    python tests/suite/spread_over_seeds.py --rows rows.jsonl --states FOLDER --what prune,full,partial
    ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 python tests/suite/spread_over_seeds.py ... --seeds 0-2
    python tests/suite/spread_over_seeds.py --table docs/results/seeds.jsonl

Nothing is claimed: a model is trained from its seed and judged; what is asked besides starts from those weights, which
are kept in `--states`. One process does it all with one thread. A row is appended to `--rows` as soon as it is known,
and what has a row is not run again unless the record's settings have changed, so a stopped script goes on where it was.
The table has mean and standard deviation over the rows of each model, data set, instruction set and step, and whether
the record's limit lies at least three of them away; and the worst of them, because some scatter upwards alone. Rows of
all days and machines are kept in docs/results/seeds.jsonl.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from suite.axes import FINETUNE, ORIGINAL, PRUNE, QUANTIZE, TASKS, TRAIN, VARIANTS, load_route
from suite.catalog import builtin_specs, spec_for
from suite.cell import Cell
from suite.data.sources import (
    SECOND,
    SECOND_IN_FOLDER,
    SECOND_OF_TASK,
    Source,
    second_source,
    sources_in,
)
from suite.provenance import key_of
from suite.pruning.engine import prune_module
from suite.quality import drop, gain
from suite.spec import ModelSpec, Size
from suite.stages.prune import recover
from suite.states import store
from suite.training.early_stopping import train_watched
from suite.training.loop import fit
from suite.training.quality import module_forward, quality, trivial_quality
from suite.training.setup import TrainingSetup, training_setup_for
from suite.weights import module_for
from suite.worker.job_options import JobOptions
from suite.worker.protocol import CellJob
from tests.machine import processor

STRATEGIES: Final = tuple(name for name, row in VARIANTS.items() if row.stage == FINETUNE)
SPREADS: Final = 3.0
"""Standard deviations between the mean and a record's limit: a run fails by chance about once in 700."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One model from one seed on one data set."""

    spec: ModelSpec
    job: CellJob
    source: Source
    states: Path
    """Folder of the trained weights."""

    @property
    def size(self) -> Size:
        """The tiny size of the record."""
        return self.spec.sizes["tiny"]

    @property
    def second(self) -> Source:
        """Data of the second task."""
        return second_source(self.source, self.spec.task)

    def setup(self, **changes: Any) -> TrainingSetup:
        """Return the setup of the training, with `changes` of its settings."""
        settings = replace(self.size.training, **changes)
        return training_setup_for(self.job, self.spec, self.source, settings)

    def fresh(self) -> nn.Module:
        """Return the model as built."""
        module: nn.Module = store.module_of(self.job, self.spec, ORIGINAL)
        return module

    def trained(self) -> nn.Module:
        """Return the model with the trained weights; raise FileNotFoundError if it was not trained yet."""
        module: nn.Module = store.load_into(self.fresh(), self.folder)
        return module

    @property
    def folder(self) -> Path:
        """Folder of the trained weights under these settings and instructions."""
        facts = (self.spec.name, self.source.name, self.job.options.seed, instructions())
        return self.states / key_of({"of": facts, "settings": settings_of(self.size, TRAIN)})


def trained(subject: Subject) -> tuple[float, float]:
    """Train; return the gain over untrained and trivial, the lesser of both, and the metric."""
    setup, module = subject.setup(), subject.fresh()
    test = setup.test()
    untrained = quality(subject.spec, module_forward(module), test)
    trivial = trivial_quality(subject.spec, test)
    with tempfile.TemporaryDirectory() as folder:
        train_watched(setup, setup.train_state(module), Path(folder, "checkpoint"))
    after = quality(subject.spec, module_forward(module.eval()), test)
    subject.folder.mkdir(parents=True, exist_ok=True)
    store.save(module, subject.folder)
    return min(gain(subject.spec.scale, before, after) for before in (untrained, trivial)), after


def pruned(subject: Subject) -> tuple[float, float]:
    """Prune the trained model and let it recover; return the drop and the metric."""
    own = subject.size.pruning
    setup = replace(subject.setup(learning_rate=own.learning_rate), steps=own.recovery_steps)
    module, test = subject.trained(), setup.test()
    before = quality(subject.spec, module_forward(module), test)
    smaller = prune_module(module, subject.spec, "tiny", test[0].inputs).module
    recover(setup, smaller)
    after = quality(subject.spec, module_forward(smaller.eval()), test)
    return drop(subject.spec.scale, before, after), after


def finetuned(subject: Subject, strategy: str) -> tuple[float, float]:
    """Fine-tune on the second data set; return the gain over training from scratch, and the metric."""
    own, second = subject.size.finetuning, subject.second
    settings = replace(
        subject.size.training,
        steps=own.steps,
        batch=own.batch,
        learning_rate=own.rates.get(strategy, own.learning_rate),
    )
    setup = training_setup_for(subject.job, subject.spec, second, settings)
    test = setup.test()
    alone = replace(
        setup, settings=replace(settings, learning_rate=subject.size.training.learning_rate)
    )
    scratch = module_for(subject.spec, "tiny", seed=setup.seed)
    torch.manual_seed(setup.seed)
    fit(alone.train_state(scratch), alone.batches(), until=alone.steps)
    plan = load_route(strategy)(subject.trained(), setup, own, subject.spec.head)
    torch.manual_seed(setup.seed)
    state = setup.train_state(plan.module, groups=plan.groups, frozen=plan.frozen)
    fit(state, setup.batches(), until=setup.steps, watch=plan.watch)
    finished, _ = plan.finish()
    before, after = (
        quality(subject.spec, module_forward(m.eval()), test) for m in (scratch, finished)
    )
    return gain(subject.spec.scale, before, after), after


def measure(subject: Subject, what: str) -> tuple[float, float] | None:
    """Return the judged change and the metric; None if the model has no such step."""
    if what in STRATEGIES and not VARIANTS[what].exists(subject.size):
        return None
    if what in STRATEGIES:
        return finetuned(subject, what)
    table: dict[str, Callable[[Subject], tuple[float, float]]] = {TRAIN: trained, PRUNE: pruned}
    return table[what](subject)


def changed(record: Mapping[str, Any], seed: int, under: str) -> dict[str, Any] | None:
    """Return what a record of a life says of its step's change, as a row of this script; None if it says nothing.

    `under`: the instruction set that the life was held to.
    """
    result, step, variant = record["result"] or {}, record["step"], record["cell"]["variant"]
    metric = result.get("metric")
    if not isinstance(metric, Mapping) or step not in (TRAIN, PRUNE, FINETUNE, QUANTIZE):
        return None
    spec = spec_for(record["cell"]["model"], "")
    what = step if step in (TRAIN, PRUNE) else variant
    values = {
        TRAIN: lambda: min(
            gain(spec.scale, metric[before], metric["trained"])
            for before in ("untrained", "trivial")
        ),
        FINETUNE: lambda: gain(spec.scale, metric["scratch"], metric["finetuned"]),
        PRUNE: lambda: result["drop"],
        QUANTIZE: lambda: result["drop"],
    }
    return {
        "model": spec.name,
        "data": record["data"]["name"],
        "instructions": under,
        "what": what,
        "seed": seed,
        "key": settings_key(spec.sizes["tiny"], what),
        "value": values[step](),
        "metric": metric,
    }


def settings_of(size: Size, what: str) -> dict[str, Any]:
    """Return what the outcome of a step depends on, as JSON-able data."""
    own: Any = {PRUNE: size.pruning, TRAIN: size.training}.get(what, size.finetuning)
    if is_quantized(what):
        own = size.quantization
    facts = [size.build, size.inputs, asdict(size.training), asdict(own)]
    found: dict[str, Any] = json.loads(json.dumps({"facts": facts}, default=str))
    # A limit changes nothing but the verdict.
    for part in found["facts"][2:]:
        for limit in ("margin", "max_drop"):
            part.pop(limit, None)
    return found


def settings_key(size: Size, what: str) -> str:
    """Return a short name of those settings: rows of others are not counted."""
    return key_of(settings_of(size, what))[:12]


def instructions() -> str:
    """The instruction set of PyTorch's own kernels, and the one that oneDNN is held to, if it is."""
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "")
    return " ".join((torch.backends.cpu.get_cpu_capability(), *([f"oneDNN {limit}"] * bool(limit))))


def is_quantized(what: str) -> bool:
    """Whether `what` names a state in 8 bits (int8, pruned_int8, pt2e)."""
    return what in VARIANTS and VARIANTS[what].stage == QUANTIZE


def limit_of(size: Size, what: str) -> float:
    """The least gain, or the largest drop, that the record of a tiny model allows."""
    if what == PRUNE:
        return size.pruning.max_drop
    if is_quantized(what):
        return size.quantization.max_drop
    return size.training.margin if what == TRAIN else size.finetuning.margin


def is_current(row: Mapping[str, Any]) -> bool:
    """Whether a row was measured under the settings, and with the data, that the record has now."""
    spec = spec_for(row["model"], "")
    second = {SECOND_OF_TASK.get(spec.task, SECOND[TASKS[spec.task].input])}
    is_replaced = row["what"] in STRATEGIES and row["data"] not in {
        *second,
        *SECOND_IN_FOLDER.values(),
    }
    return bool(row["key"] == settings_key(spec.sizes["tiny"], row["what"]) and not is_replaced)


def identity(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a row is about; two rows of one identity are one experiment."""
    return tuple(row[name] for name in ("model", "data", "instructions", "what", "seed", "key"))


def table(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The lines of the Markdown table, over the rows of the present settings."""
    groups: dict[tuple[str, ...], list[float]] = {}
    for row in rows:
        if row["value"] is not None and is_current(row):
            key = (row["model"], row["what"], row["data"], row["instructions"])
            groups.setdefault(key, []).append(row["value"])
    yield "| model | step | data | instructions | seeds | mean | spread | worst | limit | spreads away |"
    yield "|---|---|---|---|--:|--:|--:|--:|--:|--:|"
    for key, values in sorted(groups.items()):
        limit = limit_of(spec_for(key[0], "").sizes["tiny"], key[1])
        mean = statistics.mean(values)
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        is_drop = key[1] == PRUNE or is_quantized(key[1])
        room = limit - mean if is_drop else mean - limit
        away = f"{room / spread:.1f}{' (!)' * (room < SPREADS * spread)}" if spread else "unknown"
        shown = f"{spread:.2g}" if spread else "unknown"
        if len(values) > 1 and not spread:
            shown, away = "0", "all alike"
        worst = (max if is_drop else min)(values)
        numbers = f"{len(values)} | {mean:.3g} | {shown} | {worst:.3g} | {limit:g} | {away}"
        yield f"| {' | '.join(key)} | {numbers} |"


def subjects(asked: argparse.Namespace) -> Iterator[Subject]:
    """Every model from every seed that was asked for; seeds outermost, so that all models have a row soon."""
    sources = sources_in(asked.data)
    names = asked.models.split(",") if asked.models else [spec.name for spec in builtin_specs()]
    for seed in seeds_of(asked.seeds):
        for name in names:
            job = CellJob(
                runner="",
                cell=Cell(model=name, size="tiny"),
                options=JobOptions(seed=seed, sources=sources),
            )
            spec = spec_for(name, "")
            source = store.source_of(job, spec)
            gap = spec.gap_for(
                stage=TRAIN, backend="", device="cpu", dtype="", size="tiny", data=source.name
            )
            if gap is None and (source.root or not asked.data):
                yield Subject(spec=spec, job=job, source=source, states=asked.states)


def seeds_of(text: str) -> range:
    """The seeds of `3` or `0-7`."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def rows_of(file: Path | None) -> list[dict[str, Any]]:
    """The rows of a file of JSON lines; none if it is not there yet."""
    if file is None or not file.exists():
        return []
    return [json.loads(line) for line in file.read_text().splitlines()]


def append(file: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add rows to a file of JSON lines."""
    with file.open("a") as out:
        out.writelines(json.dumps(row) + "\n" for row in rows)


def main() -> None:
    """Prints a line per seed, then the table; or the table of rows that are there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default="")
    parser.add_argument("--seeds", default="0-7")
    parser.add_argument("--what", default=TRAIN, help=", ".join((TRAIN, PRUNE, *STRATEGIES)))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rows", type=Path)
    parser.add_argument("--states", type=Path)
    parser.add_argument("--table", type=Path)
    asked = parser.parse_args()
    if asked.table:
        print("\n".join(table(rows_of(asked.table))))
        return
    torch.set_num_threads(1)
    rows = rows_of(asked.rows)
    known = set(map(identity, rows))
    with tempfile.TemporaryDirectory() as folder:
        asked.states = asked.states or Path(folder)
        for subject in subjects(asked):
            for what in asked.what.split(","):
                row: dict[str, Any] = {
                    "model": subject.spec.name,
                    "data": (subject.second if what in STRATEGIES else subject.source).name,
                    "instructions": instructions(),
                    "what": what,
                    "seed": subject.job.options.seed,
                    "key": settings_key(subject.size, what),
                    "date": f"{datetime.now(UTC):%Y-%m-%d}",
                    "machine": processor(),
                }
                if identity(row) in known:
                    continue
                began = time.process_time()
                try:
                    found = measure(subject, what)
                except Exception as error:  # a row for each, whatever a model does
                    print(f"{row['model']} {what} seed {row['seed']}: {error}", file=sys.stderr)
                    continue
                row["value"], row["metric"] = found or (None, None)
                row["seconds"] = round(time.process_time() - began, 1)
                rows.append(row)
                print(json.dumps(row), flush=True)
                if asked.rows:
                    append(asked.rows, [row])
    print("\n".join(table(rows)))


if __name__ == "__main__":
    main()
