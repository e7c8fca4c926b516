"""Numbers of one shared process beside those of separate ones: `python tests/speed/together.py [--models NAMES]`.

Size, memory and latency of every cell are taken by one process, and by one each, in turns; prints the medians over
the rounds and their ratio. Goals: sizes and peaks of tensors equal, peaks of resident memory and latencies within the
spread of the separate processes among themselves (printed).
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

from bench.plan import PLANS
from bench.steps import STEPS, TOGETHER
from suite.engine.run import preload_for
from suite.engine.shared_process import PartsOptions
from suite.options import Asked, resolve
from suite.outcome import Outcome
from suite.results.step_output import decode_output
from suite.results.step_result import UnknownResult
from suite.worker.client import Answer, Launcher
from suite.worker.protocol import CellJob

METRICS = {
    "parameters": "size",
    "macs": "size",
    "latency": "latency",
    "peak_rss_delta": "memory",
    "peak_tensor_bytes": "memory",
    "first_forward": "latency",
}
"""Metric -> step that gives it."""


def values_of(answer: Answer, result: dict) -> dict[str, float]:
    """Metric -> median of its samples; raises RuntimeError for a job that did not pass."""
    if answer.outcome is not Outcome.PASSED:
        raise RuntimeError(answer.failure.message if answer.failure else answer.outcome.value)
    output = decode_output(UnknownResult, result)
    return {m.metric: median(m.samples) for m in output.measurements if m.metric in METRICS}


def separate(launcher: Launcher, job: CellJob, parts: tuple[str, ...]) -> dict[str, float]:
    """The metrics from a process per step."""
    found: dict[str, float] = {}
    for part in parts:
        answer = launcher.run(replace(job, runner=STEPS[part].runner))
        found |= {k: v for k, v in values_of(answer, answer.result).items() if METRICS[k] == part}
    return found


def together(launcher: Launcher, job: CellJob, parts: tuple[str, ...]) -> dict[str, float]:
    """The metrics from one process."""
    options = job.options.extended(PartsOptions(parts=parts))
    found: dict[str, float] = {}

    def take(part: str, answer: Answer) -> None:
        values = values_of(answer, answer.result)
        found.update({k: v for k, v in values.items() if METRICS[k] == part})

    answer = launcher.run(replace(job, runner=TOGETHER, options=options), take)
    if answer.outcome is not Outcome.PASSED:
        raise RuntimeError(answer.failure.message if answer.failure else answer.outcome.value)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", default="mlp,cnn,lstm,resnet18,bert,gpt2")
    parser.add_argument("--size", default="tiny")
    parser.add_argument("--plan", default="standard", choices=PLANS)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    selection = resolve(
        Asked(models=given.models.split(","), size=given.size), num_gpus=0, num_cores=2
    )
    launcher = Launcher(preload=preload_for(selection, STEPS))
    print(f"{'':42} {'separate':>12} {'(spread)':>9} {'together':>12} {'ratio':>6}")
    spent = {"separate": 0.0, "together": 0.0}
    with tempfile.TemporaryDirectory(prefix="vitals-together-") as folder:
        for cell in selection.cells:
            graph = str(Path(folder, f"{cell.model}.onnx"))
            options = selection.job_options.extended({"plan": PLANS[given.plan].as_dict()})
            job = CellJob(
                runner="",
                cell=cell,
                options=replace(options, graph=graph, output=graph),
                deadline=600.0,
            )
            if cell.backend != "eager" and not Path(graph).exists():
                launcher.run(replace(job, runner=STEPS["export"].runner))
            parts = ("size",) * (cell.backend == "eager") + ("latency", "memory")
            _rows(launcher, job, parts, given.rounds, spent)
    launcher.close()
    ratio = spent["together"] / spent["separate"]
    print(f"{'seconds':42} {spent['separate']:12.1f} {'':9} {spent['together']:12.1f} {ratio:6.2f}")


def _rows(
    launcher: Launcher, job: CellJob, parts: tuple[str, ...], rounds: int, spent: dict[str, float]
) -> None:
    """Print the metrics of one cell, and add the seconds of both ways to `spent`."""
    seen: dict[str, list[dict[str, float]]] = {"separate": [], "together": []}
    ways = {"separate": separate, "together": together}
    for number in range(rounds):
        for way in [*ways][:: -1 if number % 2 else 1]:
            began = time.perf_counter()
            seen[way].append(ways[way](launcher, job, parts))
            spent[way] += time.perf_counter() - began
    for metric in seen["separate"][0]:
        alone = [found[metric] for found in seen["separate"]]
        shared = median(found[metric] for found in seen["together"])
        middle = median(alone)
        spread = max(abs(value / middle - 1) for value in alone) if middle else 0.0
        ratio = f"{shared / middle:6.3f}" if middle else "     -"
        name = f"{job.cell.model} {job.cell.backend} {metric}"
        print(f"{name:42} {middle:12.6g} {spread:8.1%} {shared:12.6g} {ratio}", flush=True)


if __name__ == "__main__":
    main()
