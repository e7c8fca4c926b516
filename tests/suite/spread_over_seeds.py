"""How far brief trainings and recoveries of tiny models scatter over seeds: the margin that a record's claims need.

    python tests/suite/spread_over_seeds.py --models lstm,gru --seeds 0-7 [--recovery 80,160]
    ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 python tests/suite/spread_over_seeds.py ...

Nothing is kept and nothing is claimed: a model is trained from its seed and judged, pruned as its record says,
recovered and judged again. Mean and standard deviation over the seeds are printed for each number of recovery steps.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from suite.axes import ORIGINAL
from suite.catalog import spec_for
from suite.cell import Cell
from suite.data.sources import sources_in
from suite.pruning.engine import prune_module
from suite.quality import drop
from suite.stages.prune import recover
from suite.states import store
from suite.training.early_stopping import train_watched
from suite.training.quality import module_forward, quality
from suite.training.setup import training_setup_for
from suite.worker.job_options import JobOptions
from suite.worker.protocol import CellJob


def trial(name: str, seed: int, recoveries: list[int], data: Path | None) -> dict[str, float]:
    """The metric as trained, and by number of recovery steps the drop, in the task's unit."""
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
    with tempfile.TemporaryDirectory() as folder:
        train_watched(setup, setup.train_state(module), Path(folder, "checkpoint"))
    module.eval()
    trained = quality(spec, module_forward(module, "cpu"), test)
    found = {"trained": trained}
    for steps in recoveries or [size.pruning.recovery_steps]:
        again = training_setup_for(
            job,
            spec,
            source,
            replace(size.training, learning_rate=size.pruning.learning_rate),
            steps=steps,
        )
        smaller = prune_module(copy.deepcopy(module), spec, "tiny", test[0].inputs).module
        recover(again, smaller)
        after = quality(spec, module_forward(smaller, "cpu"), test)
        found[f"drop after {steps}"] = drop(spec.task, trained, after)
    return found


def main() -> None:
    """Prints a line per seed, then mean and standard deviation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", required=True)
    parser.add_argument("--seeds", default="0-7")
    parser.add_argument("--recovery", default="")
    parser.add_argument("--data", type=Path)
    asked = parser.parse_args()
    first, _, last = asked.seeds.partition("-")
    recoveries = [int(steps) for steps in asked.recovery.split(",") if steps]
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}")
    for name in asked.models.split(","):
        rows = []
        for seed in range(int(first), int(last or first) + 1):
            rows.append(trial(name, seed, recoveries, asked.data))
            print(
                f"  {name} seed {seed}: {', '.join(f'{k} {v:.4g}' for k, v in rows[-1].items())}",
                flush=True,
            )
        for key in rows[0]:
            values = [row[key] for row in rows]
            spread = statistics.stdev(values) if len(values) > 1 else float("nan")
            print(
                f"{name}: {key}: mean {statistics.mean(values):.4g}, spread {spread:.3g}",
                flush=True,
            )


if __name__ == "__main__":
    main()
