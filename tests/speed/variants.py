"""What pruning and 8 bits gain at base on this CPU, and cost: `python tests/speed/variants.py [--models NAMES]`.

For each model `pytest suite` trains it briefly, prunes it, quantizes both and exports all (found again when it was
done before); then one process runs eager PyTorch and every graph on one sample in short turns, A B C C B A, so that
all see the same machine. Prints a table: seconds as medians, ratios to eager with their intervals, bytes, the metric's
drop; and writes it with date, CPU and versions to `--markdown FILE`. Goals, at base: best 8-bit lane 4 times as fast as
eager (geometric mean, where the CPU has VNNI), resnet18 with half of its channels twice as fast.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from suite.axes import TASKS
from suite.catalog import spec_for

ROOT = Path(__file__).resolve().parents[2]
STATES = ("trained", "pruned", "int8", "pruned_int8")
EAGER = ("trained", "pruned")
DEFAULT = "resnet18,inception_v3,unet,vit_b_16,bert_classifier,gpt2"


def made(model: str, given: argparse.Namespace) -> Path:
    """The run folder of that model's life, or of the one that was led before."""
    if given.run:
        return Path(given.run).resolve()
    command = [sys.executable, "-m", "pytest", str(ROOT / "suite"), "-q", "--models", model]
    out = given.out.resolve()
    command += ["--size", given.size, "--stages", "train,prune,quantize,export", "--out", str(out)]
    command += ["--jobs", "1", "--threads", str(given.threads)]
    command += ["--data", given.data] if given.data else []
    command += ["--device", "cpu", *(["--train-on", given.train_on] if given.train_on else [])]
    done = subprocess.run(command, cwd=ROOT, check=False)
    if done.returncode:
        print(f"{model}: a step did not pass; its numbers are shown all the same", file=sys.stderr)
    return max((out / "runs").iterdir(), key=lambda path: path.stat().st_mtime)


def facts_of(run: Path, model: str) -> dict[tuple[str, str], dict[str, Any]]:
    """(variant, step) -> facts of the run's records."""
    lines = (run / "records.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    return {
        (r["cell"]["variant"], r["step"]): {**r["facts"], "artifacts": r["artifacts"]}
        for r in records
        if r["cell"]["model"] == model
    }


def time_arms(model: str, run: Path, given: argparse.Namespace) -> None:
    """Prints {arm: seconds of each turn} of all arms in this process, as JSON."""
    import torch

    from suite.backends.eager import use_threads
    from suite.backends.onnxruntime import feeds_for
    from suite.built_model import batch_of
    from suite.cell import Cell
    from suite.data.sources import sources_in
    from suite.quantization.sessions import open_quietly
    from suite.states import store
    from suite.timing import alternate
    from suite.worker.job_options import JobOptions
    from suite.worker.protocol import CellJob

    sources = sources_in(Path(given.data) if given.data else None)
    options = {
        "sources": {kind: source.as_dict() for kind, source in sources.items()},
        "states_dir": str(run.parents[1] / "cache" / "states"),
        "seed": 0,
        "threads": given.threads,
        "train_on": given.train_on,
    }
    cell = Cell(model=model, size=given.size, variant="trained")
    job, spec = (
        CellJob(runner="", cell=cell, options=JobOptions.from_dict(options)),
        spec_for(model, ""),
    )
    use_threads(job)
    inputs = batch_of(job, spec, lambda kind, /, **data: None).inputs

    def forward(module: Any) -> None:
        with torch.inference_mode():
            module(**inputs)

    calls: dict[str, Any] = {}
    for variant in EAGER:
        calls[f"eager {variant}"] = partial(forward, store.module_of(job, spec, variant).eval())
    for variant in STATES:
        graph = run / "onnx" / f"{model}-{given.size}-{variant}.onnx"
        if graph.exists():
            session = open_quietly(graph, given.threads)
            feeds = feeds_for(session, inputs)
            calls[f"onnxruntime {variant}"] = partial(session.run, None, feeds)
    print(json.dumps(alternate(calls, seconds=given.seconds)))


def rows_of(model: str, run: Path, given: argparse.Namespace) -> list[dict[str, Any]]:
    """One row an arm."""
    from suite.timing import ratio

    command = [sys.executable, __file__, "--time", str(run), "--models", model]
    command += ["--size", given.size, "--threads", str(given.threads)]
    command += ["--seconds", str(given.seconds), *(["--data", given.data] if given.data else [])]
    command += ["--train-on", given.train_on]
    answer = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if answer.returncode:
        print(f"{model}: not timed: {answer.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return []
    samples = json.loads(answer.stdout.splitlines()[-1])
    facts = facts_of(run, model)
    lost = {
        "pruned": facts.get(("pruned", "prune"), {}).get("drop"),
        "int8": facts.get(("int8", "quantize"), {}).get("drop"),
    }
    after = facts.get(("pruned_int8", "quantize"), {}).get("drop")
    if after is not None and lost["pruned"] is not None:
        lost["pruned_int8"] = lost["pruned"] + after
    rows = []
    for arm, values in samples.items():
        backend, variant = arm.split(" ")
        found = ratio(samples["eager trained"], values)
        graph = run / "onnx" / f"{model}-{given.size}-{variant}.onnx"
        rows.append(
            {
                "model": model,
                "arm": arm,
                "seconds": sorted(values)[len(values) // 2],
                "faster": found.median,
                "low": found.low,
                "high": found.high,
                "bytes": graph.stat().st_size
                if backend == "onnxruntime" and graph.exists()
                else None,
                "drop": 0.0 if variant == "trained" else lost.get(variant),
                "unit": TASKS[spec_for(model, "").task].unit,
            }
        )
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    lines = [
        "| model | run as | p50 | times eager | 95% | graph | drop |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        size = f"{row['bytes'] / 1e6:.1f} MB" if row["bytes"] else ""
        drop = "" if row["drop"] is None else f"{row['drop']:+.2f}"
        lines.append(
            f"| {row['model']} | {row['arm']} | {row['seconds'] * 1e3:.1f} ms | x{row['faster']:.2f}"
            f" | {row['low']:.2f} to {row['high']:.2f} | {size} | {drop} |"
        )
    best: dict[str, float] = {}
    for row in rows:
        if row["arm"] == "onnxruntime int8":
            best[row["model"]] = row["faster"]
    if best:
        mean = math.exp(sum(map(math.log, best.values())) / len(best))
        lines += ["", f"8 bits against eager float32, geometric mean of {len(best)}: x{mean:.2f}."]
    return "\n".join(lines)


def machine() -> str:
    """CPU, its 8-bit instructions, and versions."""
    from importlib.metadata import version

    info = Path("/proc/cpuinfo").read_text(encoding="utf-8") if sys.platform == "linux" else ""
    fields = dict(
        (part.strip() for part in line.split(":", 1)) for line in info.splitlines() if ":" in line
    )
    flags = {"avx2", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8"} & set(
        fields.get("flags", "").split()
    )
    names = ("torch", "onnxruntime", "torchvision", "transformers")
    return (
        f"{date.today():%Y-%m-%d}; {fields.get('model name', 'CPU unknown')}, {info.count('processor')} cores,"
        f" {', '.join(sorted(flags)) or 'no AVX2'}; {', '.join(f'{n} {version(n)}' for n in names)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default=DEFAULT)
    parser.add_argument("--size", default="base", choices=("tiny", "base"))
    parser.add_argument("--data", default="")
    parser.add_argument("--out", type=Path, default=ROOT / ".vitals" / "variants")
    parser.add_argument("--threads", type=int, default=0, help="default: every core")
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument(
        "--train-on", default="", help="device that trains and prunes; default: cpu"
    )
    parser.add_argument("--run", help="run folder of a life that was led before, of one model")
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--time", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.time:
        time_arms(given.models, given.time, given)
        return
    rows = []
    for model in given.models.split(","):
        rows += rows_of(model, made(model, given), given)
        print(table(rows))
    if given.markdown:
        threads = f"{given.threads or 'all'} threads"
        head = f"# Variants at {given.size}\n\n{machine()}; {threads}."
        head += " One sample, all arms in turns in one process."
        text = f"{head}\n\n{table(rows)}\n"
        given.markdown.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
