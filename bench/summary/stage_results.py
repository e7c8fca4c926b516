"""Treatments of a model in the report: its training, fine-tunings, quantizations and parallel trainings."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from bench.stats import percentile
from bench.summary import facts
from bench.summary.backend_results import quantity_of
from bench.summary.lifecycle_records import Ailment, Curve, Parallel, Quantized, Training, Tuning
from suite.axes import TASKS
from suite.quality import gain
from suite.record import Record

DRAWN: Final = 240
"""Points kept of a curve of losses; a wider drawing shows no more."""


def curve_of(losses: object) -> Curve | None:
    """The losses, step by step, in at most DRAWN equal stretches with the mean of each; None without any."""
    values = facts.numbers(losses)
    if not values:
        return None
    number = min(DRAWN, len(values))
    bounds = [len(values) * i // number for i in range(number + 1)]
    stretches = [values[a:b] for a, b in pairwise(bounds)]
    return Curve(
        steps=tuple((a + b + 1) / 2 for a, b in pairwise(bounds)),
        losses=tuple(sum(stretch) / len(stretch) for stretch in stretches),
        num_steps=len(values),
    )


def training_of(record: Record) -> Training | None:
    """What the stage `train` tells of itself; None when it brought nothing home."""
    own = record.facts
    if "metric" not in own and "curve" not in own:
        return None
    metric = facts.mapping(own.get("metric"))
    step = record.measurement("train_step")
    middle = percentile(facts.seconds(step.samples), 0.5) if step else None
    memory = (quantity_of(record, name) for name in ("train_peak_rss", "train_cuda_allocated"))
    return Training(
        curve=curve_of(own.get("curve")),
        validation=_points(own.get("validation")),
        untrained=facts.number(metric.get("untrained")),
        trivial=facts.number(metric.get("trivial")),
        trained=facts.number(metric.get("trained")),
        steps=facts.whole(own.get("steps")),
        batch=facts.whole(own.get("batch")),
        micro_batch=facts.whole(own.get("micro_batch")),
        precision=facts.text(own.get("precision")),
        data=facts.text(own.get("data")),
        num_test_samples=facts.whole(own.get("num_test_samples")),
        seconds_per_step=middle.value if middle else None,
        samples_per_second=facts.number(own.get("samples_per_second")),
        waiting=facts.number(own.get("waiting")),
        memory=tuple(quantity for quantity in memory if quantity is not None),
        stopped=facts.text(own.get("stopped")),
        events=facts.texts(own.get("events")),
        findings=tuple(
            Ailment(
                code=facts.text(entry.get("code")),
                summary=facts.text(entry.get("summary")),
                cure=facts.text(entry.get("cure")),
            )
            for entry in facts.entries(own.get("findings"))
        ),
    )


def tuning_of(record: Record, task: str) -> Tuning | None:
    """What one strategy of the stage `finetune` came to; None when it brought nothing home."""
    own = record.facts
    if "metric" not in own:
        return None
    metric = facts.mapping(own["metric"])
    scratch, after = facts.number(metric.get("scratch")), facts.number(metric.get("finetuned"))
    better = None
    if task in TASKS and scratch is not None and after is not None:
        better = gain(task, scratch, after)
    return Tuning(
        strategy=facts.text(own.get("strategy")) or record.cell.variant,
        before=facts.number(metric.get("before")),
        scratch=scratch,
        after=after,
        gain=better,
        forgotten=facts.number(own.get("forgotten")),
        trainable=facts.whole(own.get("trainable")),
        steps=facts.whole(own.get("steps")),
        data=facts.text(own.get("data")),
    )


def quantized_of(record: Record) -> Quantized | None:
    """What the stage `quantize` has quantized; None when it brought nothing home."""
    own = record.facts
    if "num_quantized" not in own:
        return None
    count, types = facts.mapping(own.get("count")), own.get("types")
    floating = facts.counts(count.get("floating"))
    number = facts.whole(own.get("num_float"))
    return Quantized(
        variant=record.cell.variant,
        lane=facts.text(own.get("lane")),
        method=facts.text(own.get("method")),
        types=facts.text(facts.mapping(types).get("name") if facts.mapping(types) else types),
        num_quantized=facts.whole(own["num_quantized"]),
        num_float=sum(floating.values()) if number is None and count else number,
        operators=facts.counts(own.get("operators") or count.get("quantized")),
    )


def parallel_of(record: Record) -> Parallel | None:
    """What the stage `parallel` measured; None when it brought nothing home."""
    own = record.facts
    if "curve" not in own:
        return None
    return Parallel(
        strategy=facts.text(own.get("strategy")) or record.cell.variant,
        processes=facts.whole(own.get("processes")),
        transport=facts.text(own.get("backend")),
        efficiency=facts.number(own.get("efficiency")),
        curve=curve_of(own.get("curve")),
        alone=curve_of(own.get("curve_one_process")),
    )


def _points(value: object) -> tuple[tuple[float, float], ...]:
    """Pairs of numbers; entries of another shape are left out."""
    found: Sequence[object] = value if isinstance(value, (list, tuple)) else ()
    pairs = (facts.numbers(entry) for entry in found)
    return tuple((pair[0], pair[1]) for pair in pairs if len(pair) == 2)
