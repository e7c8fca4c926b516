"""Worker side. The quantize stage's runner: the variant's lane, judged by counts, bytes, metric and speed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from suite.axes import VARIANTS
from suite.backends.eager import device_facts, require_device, use_threads
from suite.claims import Claim, as_dicts
from suite.quality import change_unit, drop, shown
from suite.spec import ModelSpec
from suite.stages.quantize.graphs import graph_lane
from suite.stages.quantize.modules import bf16_lane, pt2e_lane, torchao_lane
from suite.states import store
from suite.timing import alternate, ratio
from suite.training.quality import quality
from suite.training.setup import lesson_for, num_samples_of
from suite.worker.protocol import Emit, Job

LATENCY_SECONDS: Final = 0.6
"""Of alternating turns; a glance. `pytest bench --variant int8` measures properly."""

LANES: Final = {
    "int8": graph_lane,
    "pruned_int8": graph_lane,
    "pt2e": pt2e_lane,
    "bf16": bf16_lane,
    "torchao": torchao_lane,
}
"""Variant -> how it is made: `lane(job, spec, lesson, folder, emit) -> Lane`."""


def run(job: Job, emit: Emit) -> dict[str, Any]:
    """Quantizes the state that the cell's variant is made from; or finds it done.

    Measurements: `quantized_bytes`. Facts: `num_quantized`, `bytes`, `metric` (parent, float, quantized), `drop`,
    `latency` (seconds of each arm), `speedup`, `claims`. Raises QuantizationError when there is nothing to calibrate on
    or nothing to quantize.
    """
    use_threads(job)
    return store.made(job, emit, quantize)


def quantize(job: Job, spec: ModelSpec, folder: Path, emit: Emit) -> dict[str, Any]:
    """The quantization itself; the graph or the weights go to `folder`."""
    assert job.cell is not None
    variant, size = job.cell.variant, spec.sizes[job.cell.size]
    require_device(job.cell.device)
    lesson = lesson_for(job, spec, store.source_of(job, spec), size.training)
    parent = store.parent_of(job, spec).result["facts"]["metric"]
    before = parent.get("recovered", parent.get("trained"))
    emit("phase", name="input")
    test = lesson.test()
    emit("phase", name="quantize")
    lane = LANES[variant](job, spec, lesson, folder, emit)
    emit("phase", name="quality")
    metric = {
        "parent": before,
        "float": quality(spec, lane.reference, test),
        "quantized": quality(spec, lane.quantized, test),
    }
    emit("phase", name="latency")
    seconds = alternate(lane.calls, seconds=LATENCY_SECONDS, synchronize=lane.synchronize)
    faster = ratio(seconds["float"], seconds["quantized"])
    lost = drop(spec.task, before, metric["quantized"])
    allowed = size.quantization.max_drop
    claims = [
        *lane.claims,
        Claim(
            name="the metric drops within the record's tolerance",
            holds=lost <= allowed,
            evidence=(
                f"{shown(spec.task, metric['quantized'])}, {VARIANTS[variant].parent} {before:.4g} ({-lost:+.3g}"
                f" {change_unit(spec.task)}) on {num_samples_of(test)} test samples; expected a drop of {allowed:g}"
                " at most"
            ),
        ),
    ]
    return {
        "measurements": [
            {"metric": "quantized_bytes", "unit": "B", "samples": [lane.facts["bytes"]["after"]]}
        ],
        "facts": {
            "lane": variant,
            "metric": metric,
            "drop": lost,
            "latency": seconds,
            "speedup": {
                "quantized": {"ratio": faster.median, "low": faster.low, "high": faster.high}
            },
            "data": lesson.source.name,
            "num_test_samples": num_samples_of(test),
            **lane.facts,
            "claims": as_dicts(claims),
            **device_facts(job.cell.device),
        },
    }
