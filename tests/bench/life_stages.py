"""What every stage of a made-up life writes into its record; needs no torch."""

from __future__ import annotations

import math
import random
from typing import Any

from recorded import facts_of, record_with

from suite.axes import TASKS
from suite.cell import Cell
from suite.outcome import Outcome
from suite.quality import drop
from suite.record import Artifact, Measurement, Record


def record_of(cell: Cell, step: str, facts: dict[str, Any], **extra: Any) -> Record:
    """A record that passed."""
    record = Record(
        run_id="made-up",
        cell=cell,
        step=step,
        outcome=Outcome.PASSED,
        environment_id="a41c9be2d07f",
        started_at="2026-11-24T18:04:12+00:00",
        seconds=4.5,
        **extra,
    )
    return record_with(record, facts)


def made(cell: Cell, step: str, row: Any, dice: random.Random) -> Record:
    """The record of that stage of the model that `row` (of `life_runs.LIVES`) describes: passed, its claims held."""
    make = {
        "build": _build,
        "train": _train,
        "finetune": _finetune,
        "prune": _prune,
        "quantize": _quantize,
        "export": _export,
        "parallel": _parallel,
    }[step]
    record = make(cell, row, dice)
    claims = [
        {"name": "all weights are finite", "holds": True, "evidence": "0 tensors with NaN"},
        {"name": f"{step} has changed something", "holds": True, "evidence": "SHA-256 27a8, after f681"},
    ]  # fmt: skip
    return record_with(record, {**facts_of(record), "task": row[1], "claims": claims})


def _build(cell: Cell, row: Any, dice: random.Random) -> Record:
    counted = Measurement(metric="parameters", unit="1", samples=(float(row[8]),))
    return record_of(cell, "build", {"outputs": {"logits": [1, 10]}}, measurements=(counted,))


def _worse(task: str, value: float, lost: float) -> float:
    """The value with that much of it lost: points, or percent where the metric is relative."""
    way = 1 if TASKS[task].metric_direction == "lower" else -1
    return value * (1 + way * lost / 100) if TASKS[task].is_relative else value + way * lost


def _curve(dice: random.Random, first: float, last: float, steps: int) -> list[float]:
    return [
        last + (first - last) * math.exp(-4 * i / steps) * dice.uniform(0.85, 1.15) + dice.gauss(0, 0.03)
        for i in range(steps)
    ]  # fmt: skip


def _train(cell: Cell, row: Any, dice: random.Random) -> Record:
    curve = _curve(dice, 2.3, 0.2, 200)
    steps = tuple(dice.uniform(0.02, 0.03) for _ in curve)
    findings = []
    if row[0] in ("rnn", "gpt2"):
        findings.append(
            {
                "code": "overfitting",
                "summary": "validation loss 0.9 against training loss 0.21, best 0.62",
                "cure": "stop earlier (Training.patience), more data or augmentation, dropout",
            }
        )
    return record_of(
        cell,
        "train",
        {
            "metric": {"untrained": row[2], "trivial": (row[2] + row[3]) / 5, "trained": row[3]},
            "curve": curve,
            "validation": [[s, curve[s - 1] * 1.2 + 0.05] for s in (50, 100, 150, 200)],
            "stopped": "no better validation loss in 3 evaluations" if row[0] == "cnn" else "",
            "events": ["out of memory: micro-batch 32 -> 16"] if row[0] == "unet" else [],
            "samples_per_second": 1290.0,
            "waiting": 0.11,
            "steps": 200,
            "batch": 32,
            "micro_batch": 16 if row[0] == "unet" else 32,
            "data": "digits",
            "num_test_samples": 256,
            "precision": "float32",
            "findings": findings,
            "state": {"key": "013f", "reused": row[0] == "mlp"},
        },
        measurements=(
            Measurement(metric="train_step", unit="s", samples=steps),
            Measurement(metric="train_peak_rss", unit="B", samples=(57.7e6,)),
        ),
        phases={"build": 0.1, "untrained": 0.2, "overfit": 0.8, "train": 5.1, "save": 0.1},
    )


def _finetune(cell: Cell, row: Any, dice: random.Random) -> Record:
    task, own = row[1], {"full": 4.0, "partial": 11.0, "layerwise": 5.0, "lora": 6.0}[cell.variant]
    base = _worse(task, row[3], 8.0)
    return record_of(
        cell,
        "finetune",
        {
            "strategy": cell.variant,
            "metric": {
                "before": _worse(task, row[3], 40.0),
                "scratch": _worse(task, row[3], 20.0),
                "finetuned": _worse(task, base, own),
                "first_before": row[3],
                "first_after": _worse(task, row[3], 14.0 - own),
            },
            "forgotten": 14.0 - own,
            "curve": _curve(dice, 1.6, 0.9, 40),
            "steps": 40,
            "trainable": 170 if cell.variant == "partial" else row[8],
            "data": "patches",
        },
    )


def _samples(dice: random.Random, middle: float, count: int = 30) -> list[float]:
    return [middle * (1 + abs(dice.gauss(0, 0.02))) for _ in range(count)]


def _ratio(over: list[float], own: list[float]) -> dict[str, float]:
    ratios = sorted(a / b for a, b in zip(over, own, strict=True))
    return {"ratio": ratios[len(ratios) // 2], "low": ratios[3], "high": ratios[-4]}


def _prune(cell: Cell, row: Any, dice: random.Random) -> Record:
    task, parameters, macs = row[1], row[8], 15 * row[8]
    arms = {
        "trained": _samples(dice, row[4]),
        "masked": _samples(dice, row[4]),
        "pruned": _samples(dice, row[4] / row[6]),
    }
    metric = {
        "trained": row[3],
        "masked": _worse(task, row[3], 1.1),
        "pruned": _worse(task, row[3], 38.0),
        "recovered": _worse(task, row[3], 13.2 if row[0] == "unet" else 2.1),
    }
    return record_of(
        cell,
        "prune",
        {
            "before": {"parameters": parameters, "macs": macs, "bytes": 4 * parameters},
            "after": {"parameters": parameters // 3, "macs": int(macs / 3.2), "bytes": 4 * parameters // 3},
            "method": "channels",
            "ratio": 0.5,
            "importance": "magnitude",
            "metric": metric,
            "drop": drop(task, metric["trained"], metric["recovered"]),
            "latency": arms,
            "speedup": {arm: _ratio(arms["trained"], arms[arm]) for arm in ("masked", "pruned")},
            "macs_ratio": 3.2,
            "curve": _curve(dice, 1.2, 0.3, 60),
            "num_test_samples": 256,
        },
    )  # fmt: skip


def _quantize(cell: Cell, row: Any, dice: random.Random) -> Record:
    task, is_pruned = row[1], cell.variant == "pruned_int8"
    parent = _worse(task, row[3], 2.1) if is_pruned else row[3]
    eager = row[4] / (row[6] if is_pruned else 1)
    arms = {
        "float": _samples(dice, eager / row[5]),
        "quantized": _samples(dice, eager / row[7]),
    }
    if cell.variant == "pt2e":
        arms = {
            "float": _samples(dice, 40 * eager),
            "compiled": _samples(dice, 40 * eager / 1.4),
            "quantized": _samples(dice, 40 * eager / 2.9),
        }
    num_bytes = 4 * row[8] // (3 if is_pruned else 1)
    return record_of(
        cell,
        "quantize",
        {
            "lane": cell.variant,
            "method": "pt2e" if cell.variant == "pt2e" else "static",
            "types": {"name": "u8s8", "activation": "QUInt8", "weight": "QInt8", "reason": "VNNI"},
            "num_quantized": 21,
            "count": {"quantized": {"Gemm": 1, "Conv": 20}, "floating": {"MatMul": 2}},
            "metric": {"parent": parent, "float": parent, "quantized": _worse(task, parent, 0.4)},
            "drop": 0.4,
            "bytes": {"before": num_bytes, "after": num_bytes // 4, "left": 0.25},
            "latency": arms,
            "speedup": {"quantized": _ratio(arms["float"], arms["quantized"])},
            "num_test_samples": 256,
        },
    )


def _export(cell: Cell, row: Any, dice: random.Random) -> Record:
    nodes = 135 if "int8" in cell.variant else 49
    num_bytes = {"trained": 4, "pruned": 2}.get(cell.variant, 1) * row[8] + 31_000
    return record_of(
        cell,
        "export",
        {
            "parity": {"verdict": "passed", "shapes": [{"axis": "batch", "extent": 2}]},
            "onnx": {"opset": 20, "exporter": "dynamo", "operators": {"Conv": 20, "Relu": 17}},
        },
        measurements=(
            Measurement(metric="onnx_bytes", unit="B", samples=(float(num_bytes),)),
            Measurement(metric="onnx_nodes", unit="1", samples=(float(nodes),)),
        ),
        artifacts=(
            Artifact(
                kind="onnx", path=f"onnx/{cell.model}-tiny-{cell.variant}.onnx", num_bytes=num_bytes
            ),
        ),
    )


def _parallel(cell: Cell, row: Any, dice: random.Random) -> Record:
    curve = _curve(dice, 2.3, 1.9, 12)
    return record_of(
        cell,
        "parallel",
        {
            "processes": 2,
            "strategy": cell.variant,
            "backend": "gloo",
            "curve": curve,
            "curve_one_process": [loss * 1.0001 for loss in curve],
            "efficiency": 0.71,
        },
    )
