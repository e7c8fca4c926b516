"""Results of a model's stages in a report: training, fine-tuning, quantization, parallel training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from itertools import pairwise
from typing import Any, Final

from bench.stats import percentile
from bench.summary.backend_results import quantity_of
from bench.summary.lifecycle_records import (
    Ailment,
    Curve,
    Harm,
    Mended,
    Parallel,
    Quantized,
    Training,
    Tuning,
)
from bench.summary.numbers import by_count, durations, finite
from suite.axes import TASKS
from suite.quality import gain
from suite.record import Record
from suite.results.finetune import FinetuneQuality, FinetuneResult
from suite.results.parallel import ParallelResult
from suite.results.prune import PruneResult
from suite.results.quantize import QuantizeResult
from suite.results.train import TrainQuality, TrainResult

DRAWN: Final = 240
"""Points kept of a loss curve; a wider drawing shows no more."""
MOMENT_NAMES: Final = {"float32": "float"}
"""Moment of a result -> its name in the report's JSON document, if the two differ."""


def moments_of(record: Record) -> dict[str, float]:
    """Return moment (untrained, trained, recovered ...) -> finite quality metric; empty for a step without any."""
    result = record.result
    if not isinstance(result, (TrainResult, FinetuneResult, PruneResult, QuantizeResult)):
        return {}
    if result.metric is None:
        return {}
    values = {
        item.name: finite(getattr(result.metric, item.name)) for item in fields(result.metric)
    }
    return {MOMENT_NAMES.get(k, k): value for k, value in values.items() if value is not None}


def curve_of(losses: Sequence[float]) -> Curve | None:
    """Return the losses in at most DRAWN equal stretches with the mean of each; None without losses."""
    if not losses:
        return None
    number = min(DRAWN, len(losses))
    bounds = [len(losses) * i // number for i in range(number + 1)]
    stretches = [losses[a:b] for a, b in pairwise(bounds)]
    return Curve(
        steps=tuple((a + b + 1) / 2 for a, b in pairwise(bounds)),
        losses=tuple(sum(stretch) / len(stretch) for stretch in stretches),
        num_steps=len(losses),
    )


def training_of(record: Record) -> Training | None:
    """Return the result of the stage `train`; None if it left none."""
    result = record.result
    if not isinstance(result, TrainResult) or not (result.metric or result.curve):
        return None
    metric = result.metric or TrainQuality()
    step = record.measurement("train_step")
    middle = percentile(durations(step.samples), 0.5) if step else None
    memory = (quantity_of(record, name) for name in ("train_peak_rss", "train_cuda_allocated"))
    return Training(
        curve=curve_of(result.curve),
        validation=result.validation,
        untrained=finite(metric.untrained),
        trivial=finite(metric.trivial),
        trained=finite(metric.trained),
        steps=result.steps,
        batch=result.batch,
        micro_batch=result.micro_batch,
        precision=result.precision,
        data=record.data.name if record.data else "",
        num_test_samples=result.num_test_samples,
        seconds_per_step=middle.value if middle else None,
        samples_per_second=finite(result.samples_per_second),
        waiting=finite(result.waiting),
        memory=tuple(quantity for quantity in memory if quantity is not None),
        stopped=result.stopped,
        events=result.events,
        findings=tuple(
            Ailment(code=sign.code, summary=sign.summary, cure=sign.cure)
            for sign in result.findings
        ),
    )


def tuning_of(record: Record, task: str) -> Tuning | None:
    """Return the result of one strategy of the stage `finetune`; None if it left none."""
    result = record.result
    if not isinstance(result, FinetuneResult) or result.metric is None:
        return None
    metric: FinetuneQuality = result.metric
    scratch, after = finite(metric.scratch), finite(metric.finetuned)
    better = None
    if task in TASKS and scratch is not None and after is not None:
        better = gain(task, scratch, after)
    return Tuning(
        strategy=result.strategy or record.cell.variant,
        before=finite(metric.before),
        scratch=scratch,
        after=after,
        gain=better,
        forgotten=finite(result.forgotten),
        trainable=result.trainable,
        steps=result.steps,
        data=record.data.name if record.data else "",
    )


def quantized_of(record: Record) -> Quantized | None:
    """Return the result of the stage `quantize`; None if it left none."""
    result = record.result
    report = result.report if isinstance(result, QuantizeResult) else None
    if not isinstance(result, QuantizeResult) or report is None or report.num_quantized is None:
        return None
    return Quantized(
        variant=record.cell.variant,
        lane=result.lane,
        method=report.method,
        types=report.types.name if report.types else "",
        num_quantized=report.num_quantized,
        num_float=sum(report.count.floating.values()) if report.count else None,
        operators=by_count(report.count.quantized) if report.count else {},
        choice=result.choice,
        mended=_mended(result),
        **_layers(result),
    )


def _layers(result: QuantizeResult) -> dict[str, Any]:
    found = result.sensitivity
    if found is None:
        return {}
    excluded = set(result.mending.excluded) if result.mending else set()
    return {
        "layers": tuple(
            Harm(
                key=row.name,
                operator=row.operator,
                scope=row.scope,
                place=row.place,
                error=finite(row.error),
                drop=finite(row.drop),
                share=finite(row.share),
                group=row.group,
                is_excluded=row.name in excluded,
            )
            for row in found.layers
        ),
        "layers_by": found.by,
        "num_layer_samples": found.num_samples,
        "num_layers_left": found.num_left,
    }


def _mended(result: QuantizeResult) -> Mended | None:
    done = result.mending
    if done is None:
        return None
    speeds = [result.speedup.get(arm) for arm in ("plain", "quantized")]
    plain, kept = (speed.ratio if speed else None for speed in speeds)
    return Mended(
        limit=done.limit,
        before=finite(done.before),
        after=finite(done.after),
        kept=done.kept,
        ways=tuple((way.name, finite(way.loss), way.failure) for way in done.ways),
        num_excluded=len(done.excluded),
        num_layers=done.num_layers,
        num_quantized=done.num_quantized,
        num_conversions=done.num_conversions,
        speed=(plain, kept) if plain is not None and kept is not None else None,
        failure=done.failure,
    )


def parallel_of(record: Record) -> Parallel | None:
    """Return the result of the stage `parallel`; None if it left none."""
    result = record.result
    if not isinstance(result, ParallelResult) or not result.curve:
        return None
    return Parallel(
        strategy=result.strategy or record.cell.variant,
        processes=result.processes,
        transport=result.backend,
        efficiency=finite(result.efficiency),
        curve=curve_of(result.curve),
        alone=curve_of(result.curve_one_process),
    )
