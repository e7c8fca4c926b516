"""What mending a graph costs in speed: `python tests/speed/layers.py GRAPH.onnx ... [--left 0.5] [--seconds 60]`.

Each graph is quantized in the plain way (calibrated if it is a convolutional net, else dynamically) and mended until
the relative error of its outputs is `--left` times the plain one's. Inputs are drawn from a seed, those that judge
apart from those that calibrate and those that the search sees. Prints the worst layers, the ways that were tried, the
layers in float, the errors, and the speeds over the float graph in turns, with intervals. `--markdown FILE` writes it.
Goal: 85% of the plain graph's speed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import onnx
import torch

from suite import units
from suite.lifecycle import Quantization
from suite.quantization.dynamic import quantize_dynamic_graph
from suite.quantization.report import claims_of
from suite.quantization.sensitivity import relative_error
from suite.quantization.sessions import open_quietly
from suite.quantization.static import quantize_static_graph
from suite.results.quantize import QuantizationReport
from suite.stages.quantize.graphs import with_method
from suite.stages.quantize.mending import HeldOut, claim_of, mended
from suite.stages.quantize.quantized_pair import GraphRecipe, QuantizedPair
from suite.tasks.batch import Batch
from suite.timing import alternate, speed_ratio
from suite.training.quality import Forward, session_forward

NUM_FEEDS = 8
SIZES = {"batch": 1}
"""Extents of open axes; others are 32."""


def drawn(graph: Path, seed: int, vocabulary: int) -> dict[str, Any]:
    """One feed: normal numbers, and token ids below `vocabulary`, ones for masks."""
    dice = np.random.default_rng(seed)
    feeds: dict[str, Any] = {}
    for value in onnx.load(graph, load_external_data=False).graph.input:
        kind = value.type.tensor_type
        shape = [d.dim_value or SIZES.get(d.dim_param, 32) for d in kind.shape.dim]
        shape[0] = 1 if not kind.shape.dim[0].dim_value else shape[0]
        if kind.elem_type == onnx.TensorProto.FLOAT:
            feeds[value.name] = dice.standard_normal(shape).astype(np.float32)
        elif "mask" in value.name:
            feeds[value.name] = np.ones(shape, np.int64)
        else:
            feeds[value.name] = dice.integers(0, vocabulary, shape)
    return feeds


def plain_pair(graph: Path, folder: Path, given: argparse.Namespace) -> QuantizedPair:
    """The float graph and the plain 8-bit one."""
    settings = with_method(Quantization(method="auto", bytes_left=2.0), graph)
    feeds = [drawn(graph, 1000 + i, given.vocabulary) for i in range(NUM_FEEDS)]

    def make(
        source: Path, output: Path, chosen: Quantization, changes: Mapping[str, Any], /
    ) -> QuantizationReport:
        if chosen.method == "static":
            return quantize_static_graph(source, output, feeds, chosen, **changes)
        return quantize_dynamic_graph(source, output, chosen, **changes)

    output = folder / "int8.onnx"
    report = make(graph, output, settings, {})
    floating, quantized = open_quietly(graph, given.threads), open_quietly(output, given.threads)
    feed = drawn(graph, 0, given.vocabulary)
    return QuantizedPair(
        reference=session_forward(floating),
        quantized=session_forward(quantized),
        calls={
            "float": partial(floating.run, None, feed),
            "quantized": partial(quantized.run, None, feed),
        },
        claims=claims_of(report, settings),
        report=report,
        recipe=GraphRecipe(
            graph=graph,
            output=output,
            settings=settings,
            threads=given.threads,
            make=make,
            samples=lambda: feeds,
        ),
    )


def told(graph: Path, given: argparse.Namespace) -> str:
    """The account of one graph as Markdown."""
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        pair = plain_pair(graph, Path(name), given)
        seen = [drawn(graph, 2000 + i, given.vocabulary) for i in range(NUM_FEEDS)]
        session = open_quietly(graph, given.threads)
        expected = [session.run(None, feed) for feed in seen]
        held = HeldOut(
            feeds=seen,
            num_samples=NUM_FEEDS,
            loss=partial(relative_error, expected),
            few=seen,
            num_few=NUM_FEEDS,
            is_metric=False,
        )
        judges = [drawn(graph, i, given.vocabulary) for i in range(NUM_FEEDS)]
        answers = [session.run(None, feed) for feed in judges]
        batches = [
            Batch(inputs={k: torch.from_numpy(v) for k, v in f.items()}, num_samples=1)
            for f in judges
        ]
        del session

        def final(forward: Forward) -> float:
            return relative_error(answers, [[t.numpy() for t in forward(b)] for b in batches])

        before = final(pair.quantized)
        made, done, sensitivity = mended(
            pair, held, given.left * before, before, final, budget=given.seconds
        )
        seconds = time.perf_counter() - begin
        turns = alternate(made.calls, seconds=given.turns)
    lines = [f"## {graph.stem}", "", claim_of(done, "relative error").evidence, ""]
    lines += [f"- tried {way.name}: {way.failure or f'{way.loss:.4f}'}" for way in done.ways]
    if sensitivity:
        lines += [
            f"- {row.scope or row.name} {row.operator}: error {row.error:.4f}, share of time {row.share or 0:.3f}"
            for row in sensitivity.layers[:5]
        ]
        lines.append(
            f"- {len(sensitivity.layers)} layers judged in {units.seconds(sensitivity.seconds)}"
        )
    for arm in ("plain", "quantized"):
        if arm in turns.samples:
            speed = speed_ratio(turns.samples["float"], turns.samples[arm])
            lines.append(f"- {arm}: {speed.ratio:.2f}x float ({speed.low:.2f} to {speed.high:.2f})")
    if "plain" in turns.samples:
        kept = speed_ratio(turns.samples["plain"], turns.samples["quantized"])
        lines.append(
            f"- of the plain graph's speed {kept.ratio:.0%} ({kept.low:.0%} to {kept.high:.0%})"
        )
    lines.append(
        f"- {units.seconds(seconds)} in all{'; turns starved' if turns.is_starved else ''}"
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("graphs", nargs="+", type=Path, metavar="GRAPH.onnx")
    parser.add_argument("--left", type=float, default=0.5, help="share of the plain error")
    parser.add_argument("--seconds", type=float, default=60.0, help="of the sensitivity")
    parser.add_argument("--turns", type=float, default=10.0, help="seconds of the turns")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--vocabulary", type=int, default=1000)
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args()
    parts = []
    for graph in given.graphs:
        parts.append(told(graph, given))
        print(parts[-1], flush=True)
    if given.markdown:
        given.markdown.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
