"""How fast each lane is against eager float32, in turns: `python tests/speed/lanes.py [--models NAMES] [--peer]`.

A lane is a backend in a dtype. For each model `pytest bench` measures all lanes in turns, in one sitting, and holds
their outputs against eager float32. Prints a table of ratios with their intervals, relative errors, and the best lane
whose outputs are within `--max-error` of eager's; then the geometric mean over the models of every lane and of the best
ones. With `--peer` OpenVINO's own `benchmark_app` runs the same graph with the same hint and threads, in blocks that
alternate with ours, and the ratio of the two medians is printed with its interval. On a machine that others keep busy
`--processor` takes seconds of processor, one thread each (tests/speed/processor_turns.py). Writes all that with date,
CPU and versions to `--markdown FILE`. Goals at base: best lane 5 times as fast as eager float32 on a CPU with AMX, 4
times with VNNI alone, 2.5 times with AVX2; the peer within 2%.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from processor_turns import turns

from bench.output.names import backend_name
from bench.paired_ratio import PairedRatio, mean_ratio, paired_ratio
from bench.plan import PLANS
from bench.summary.labels import interval_text, times
from suite import units
from suite.axes import BACKENDS, DTYPES, OPENVINO, REFERENCE
from suite.cell import Cell
from suite.data.sources import sources_in
from suite.record import Record
from suite.results.measuring import FidelityResult, LatencyResult, PairedArm, PairsResult
from suite.results.step_output import decode_output
from suite.runs.load import load_run
from suite.worker.client import Launcher
from suite.worker.job_options import JobOptions
from suite.worker.protocol import CellJob
from tests.machine import machine

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("torch", "onnxruntime", "openvino", "torchvision", "transformers")
DEFAULT = "resnet18,inception_v3,unet,vit_b_16,bert,gpt2"
STEPS = ("pairs", "fidelity")
PEER = Path(sys.executable).with_name("benchmark_app")
HINTS = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One lane of one model."""

    cell: Cell
    seconds: float
    """Median of its turns."""
    ratio: PairedRatio
    """Against eager float32."""
    error: float | None
    """Relative error of the outputs; None for a graph that the export stage has compared."""
    is_right: bool

    @property
    def lane(self) -> str:
        """Backend and dtype."""
        return f"{backend_name(self.cell.backend)} {self.cell.dtype}"


def measured(model: str, given: argparse.Namespace) -> tuple[list[Line], list[str], Path]:
    """The lines of a model, what did not pass, and the run's folder."""
    steps = STEPS[1:] if given.processor else STEPS
    kept = [p.parents[1] for p in given.out.glob(f"runs/*/onnx/{model}-{given.size}.onnx")]
    if given.again and kept:
        return [], [], max(kept, key=lambda p: p.stat().st_mtime).resolve()
    words = [sys.executable, "-m", "pytest", *(str(ROOT / f"bench/test_{s}.py") for s in steps)]
    words += ["-q", "--models", model, "--size", given.size, "--backend", given.backend]
    words += ["--dtype", given.dtype, "--device", "cpu", "--plan", given.plan]
    words += ["--out", str(given.out.resolve()), "--threads", str(given.threads)]
    subprocess.run(words, cwd=ROOT, check=False)
    folder = max((given.out.resolve() / "runs").iterdir(), key=lambda p: p.stat().st_mtime)
    return *lines_of(load_run(folder).records), folder


def lines_of(records: Sequence[Record]) -> tuple[list[Line], list[str]]:
    """One line per lane that was measured in turns with eager float32, and a sentence per step that did not pass."""
    told = {r.cell.id: r for r in records if isinstance(r.result, FidelityResult)}
    lost = [
        f"{r.cell.id} ({r.step}): {r.failure.message.splitlines()[0]}"
        for r in records
        if not r.outcome.has_run and r.failure and r.step in STEPS
    ]
    found = []
    for record in records:
        result = record.result
        if not (record.outcome.has_run and isinstance(result, PairsResult) and result.own):
            continue
        reference = replace(record.cell, backend=REFERENCE, dtype=DTYPES[0]).id
        base = next((arm for arm in result.references if arm.cell == reference), None)
        ratio = paired_ratio(base, result.own) if base else None
        if ratio is None:
            lost.append(f"{record.cell.id}: too few turns with a core of their own")
            continue
        judged = told.get(record.cell.id)
        own = judged.result if judged else None
        found.append(
            Line(
                cell=record.cell,
                seconds=median(result.own.seconds),
                ratio=ratio,
                error=own.relative_error if isinstance(own, FidelityResult) else None,
                is_right=judged.outcome.has_run if judged else record.cell.dtype == DTYPES[0],
            )
        )
    return found, lost


def by_processor(model: str, run: Path, given: argparse.Namespace) -> list[Line]:
    """The lines of a model whose fidelity was measured in that run, in seconds of processor."""
    records = load_run(run).records
    told = {r.cell.id: r for r in records if isinstance(r.result, FidelityResult)}
    cells = [Cell(model=model, size=given.size)]
    for dtype in given.dtype.split(","):
        for backend in given.backend.split(","):
            cell = Cell(model=model, size=given.size, backend=backend, dtype=dtype)
            exports = BACKENDS[backend].needs_graph and backend != OPENVINO
            if cell != cells[0] and not (exports and dtype != DTYPES[0]):
                cells.append(cell)
    found = turns([job_of(cell, run, given) for cell in cells], given.passes)
    base = PairedArm(cell=cells[0].id, seconds=tuple(found[0]))
    lines = []
    for cell, seconds in zip(cells[1:], found[1:], strict=True):
        ratio = paired_ratio(base, PairedArm(cell=cell.id, seconds=tuple(seconds)))
        judged = told.get(cell.id)
        own = judged.result if judged else None
        assert ratio is not None, "every turn counts here"
        lines.append(
            Line(
                cell=cell,
                seconds=median(seconds),
                ratio=ratio,
                error=own.relative_error if isinstance(own, FidelityResult) else None,
                is_right=judged.outcome.has_run if judged else cell.dtype == DTYPES[0],
            )
        )
    return lines


def job_of(cell: Cell, run: Path, given: argparse.Namespace) -> CellJob:
    """The job that opens a cell on the graph of that run."""
    graph = run / "onnx" / f"{cell.model}-{cell.size}.onnx"
    plan = PLANS[given.plan].as_dict()
    options = JobOptions(
        sources=sources_in(None), threads=given.threads, graph=str(graph), plan=plan
    )
    return CellJob(
        runner="bench.instruments.latency:run", cell=cell, options=options, deadline=300.0
    )


def best_of(lines: Sequence[Line], max_error: float) -> Line | None:
    """The fastest lane whose outputs are right and near enough to eager float32's."""
    near = [one for one in lines if one.is_right and (one.error or 0.0) <= max_error]
    return max(near, key=lambda one: one.ratio.value, default=None)


def ratio_text(ratio: PairedRatio) -> str:
    """The ratio with its interval."""
    return times(ratio.value) + interval_text(ratio.low, ratio.high)


def table(found: dict[str, list[Line]], max_error: float) -> str:
    """The lines as Markdown, with the geometric means."""
    rows = [
        "| model | lane | median of its turns | times eager float32 | relative error | |",
        "|---|---|--:|--:|--:|---|",
    ]
    best: list[Line] = []
    lanes: dict[str, list[Line]] = {}
    for model, lines in found.items():
        chosen = best_of(lines, max_error)
        best += [chosen] if chosen else []
        for line in lines:
            lanes.setdefault(line.lane, []).append(line)
            error = "in the export" if line.error is None else f"{line.error:.1e}"
            mark = "best" if line is chosen else "" if line.is_right else "outputs are wrong"
            rows.append(
                f"| {model} | {line.lane} | {units.seconds(line.seconds)} | {ratio_text(line.ratio)}"
                f" | {error} | {mark} |"
            )
    rows += ["", "| lane | geometric mean, times eager float32 | models |", "|---|--:|--:|"]
    for name, lines in {**lanes, f"best within {max_error:g}": best}.items():
        if lines:
            mean = mean_ratio([(x.ratio.value, x.ratio.low, x.ratio.high) for x in lines])
            rows.append(f"| {name} | {times(mean[0])}{interval_text(*mean[1:])} | {len(lines)} |")
    return "\n".join(rows)


# The peer: OpenVINO's own benchmark on the same graph.


def peer_seconds(graph: Path, dtype: str, threads: int, seconds: float, requests: int = 0) -> float:
    """The median latency that benchmark_app finds, one synchronous request after the other; with a number of
    `requests`, the seconds of processor of its whole process.
    """
    import onnx

    inputs = onnx.load(graph, load_external_data=False).graph.input
    shapes = []
    for value in inputs:
        extents = [d.dim_value or 1 for d in value.type.tensor_type.shape.dim]
        shapes.append(f"{value.name}[{','.join(map(str, extents))}]")
    with tempfile.TemporaryDirectory() as folder:
        words = [str(PEER), "-m", str(graph), "-d", "CPU", "-api", "sync"]
        if threads == len(os.sched_getaffinity(0)):
            words += ["-hint", "latency"]
        else:  # it takes either the hint or a number of threads
            words += ["-hint", "none", "-nstreams", "1", "-nthreads", str(threads)]
        words += ["-infer_precision", HINTS[dtype]]
        words += ["-niter", str(requests)] if requests else ["-t", f"{seconds:g}"]
        words += ["-data_shape", ",".join(shapes), "-json_stats", "-report_type", "no_counters"]
        words += ["-report_folder", folder]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        report = Path(folder, "benchmark_report.json")
        if done.returncode or not report.is_file():
            raise SystemExit(f"benchmark_app: {(done.stderr or done.stdout).strip()[-400:]}")
        told = json.loads(report.read_text(encoding="utf-8"))
    if requests:
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return float(told["execution_results"]["latency_median"]) * 1e-3


def peer_processor(graph: Path, dtype: str) -> float:
    """Seconds of processor of one request on one thread: the slope of the whole process over their number."""
    few, many = 5, 30
    spent = [peer_seconds(graph, dtype, 1, 0.0, number) for number in (few, many)]
    return (spent[1] - spent[0]) / (many - few)


def our_seconds(launcher: Launcher, cell: Cell, run: Path, given: argparse.Namespace) -> float:
    """The median of the latency step on the same graph, in a fresh process."""
    answer = launcher.run(job_of(cell, run, given))
    if answer.failure:
        raise SystemExit(f"{cell.id}: {answer.failure.message}")
    output = decode_output(LatencyResult, answer.result)
    return median(next(m.samples for m in output.measurements if m.metric == "latency"))


def against_peer(model: str, run: Path, given: argparse.Namespace, blocks: int = 6) -> list[str]:
    """Rows of the comparison with benchmark_app, one per dtype: blocks of both in the order A B B A."""
    graph = run / "onnx" / f"{model}-{given.size}.onnx"
    launcher = Launcher(preload=BACKENDS[OPENVINO].preload)
    rows = []
    for dtype in given.dtype.split(","):
        cell = Cell(model=model, size=given.size, backend=OPENVINO, dtype=dtype)
        ours: list[float] = []
        theirs: list[float] = []
        for number in range(blocks):
            order = (0, 1) if number % 2 == 0 else (1, 0)
            for which in order:
                if which and given.processor:
                    theirs.append(peer_processor(graph, dtype))
                elif which:
                    theirs.append(peer_seconds(graph, dtype, given.threads, given.peer_seconds))
                elif given.processor:
                    ours.append(median(turns([job_of(cell, run, given)], 4)[0]))
                else:
                    ours.append(our_seconds(launcher, cell, run, given))
        ratio = paired_ratio(
            PairedArm(cell="peer", seconds=tuple(theirs)),
            PairedArm(cell="own", seconds=tuple(ours)),
        )
        told = ratio_text(ratio) if ratio else "?"
        rows.append(
            f"| {model} | {dtype} | {units.seconds(median(ours))} | {units.seconds(median(theirs))} | {told} |"
        )
    launcher.close()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default=DEFAULT)
    parser.add_argument("--size", default="base", choices=("tiny", "base"))
    parser.add_argument("--backend", default="eager,onnxruntime,openvino")
    parser.add_argument("--dtype", default="float32,bfloat16")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--plan", default="standard")
    parser.add_argument("--processor", action="store_true", help="seconds of processor, one thread")
    parser.add_argument("--passes", type=int, default=8, help="of --processor")
    parser.add_argument("--again", action="store_true", help="--processor on graphs of kept runs")
    parser.add_argument("--max-error", type=float, default=0.02)
    parser.add_argument("--peer", action="store_true", help="beside OpenVINO's benchmark_app")
    parser.add_argument("--peer-seconds", type=float, default=4.0)
    parser.add_argument("--out", type=Path, default=ROOT / ".vitals" / "lanes")
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args()
    found: dict[str, list[Line]] = {}
    lost: list[str] = []
    peers: list[str] = []
    if given.processor:
        given.threads = 1
    for model in given.models.split(","):
        found[model], missing, run = measured(model, given)
        if given.processor:
            found[model] = by_processor(model, run, given)
        lost += [text for text in missing if "exported in float32" not in text]
        if given.peer:
            peers += against_peer(model, run, given)
        text = table(found, given.max_error)
        if peers:
            head = "| model | dtype | ours | benchmark_app | its time over ours |\n|---|---|--:|--:|--:|"
            text += "\n\n" + "\n".join((head, *peers))
        if lost:
            text += "\n\nNot measured:\n\n" + "\n".join(f"- {one}" for one in lost)
        print(text)
        if given.markdown:
            how = ", in seconds of processor" if given.processor else ""
            head = f"# Lanes at {given.size}\n\n{machine(PACKAGES)} at the end;"
            head += f" threads: {given.threads}, one sample, in turns{how}."
            given.markdown.write_text(f"{head}\n\n{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
