"""Lives of a run's models, each combining the records of one model's stages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Final, TypeVar

from bench.summary.elements import Step
from bench.summary.lifecycle_records import Life, Quality, Stage
from bench.summary.model import Row
from bench.summary.numbers import finite
from bench.summary.places import is_foundation, is_stage, life_id, stage_rank, variant_rank
from bench.summary.stage_results import (
    curve_of,
    moments_of,
    parallel_of,
    quantized_of,
    training_of,
    tuning_of,
)
from bench.summary.step_outcomes import step_of
from bench.summary.variants import states_of
from suite.axes import (
    FINETUNE,
    PARALLEL,
    PRUNE,
    PRUNED,
    QUANTIZE,
    STAGE_ROWS,
    TRAIN,
    TRAINED,
    task_row,
)
from suite.cell import Cell
from suite.quality import change_unit, gain
from suite.record import Record
from suite.results.export import ExportResult
from suite.results.prune import PruneResult
from suite.results.step_result import StageResult

T = TypeVar("T")

MOMENTS: Final = {
    row.name: (row.quality.before, row.quality.after) for row in STAGE_ROWS.values() if row.quality
}
"""Stage -> the two moments whose quality metrics are compared."""


def lives_of(
    records: Sequence[Record],
    missing: Iterable[Step],
    cells: Mapping[str, Cell],
    rows: Sequence[Row],
) -> tuple[Life, ...]:
    """Return one life per model, size, device, dtype and batch with a stage that was run or planned, in the run's
    order.

    `missing` are planned steps without a record, `cells` the planned cells by id, `rows` the benchmark's rows.
    """
    places: dict[str, Cell] = {}
    held: dict[str, list[Record]] = {}
    planned: dict[str, list[Step]] = {}
    for record in records:
        if is_stage(record.cell, record.step) and not is_foundation(record.step):
            name = life_id(record.cell)
            places.setdefault(name, record.cell)
            held.setdefault(name, []).append(record)
    for step in missing:
        cell = cells.get(step.cell)
        if cell and is_stage(cell, step.step) and not is_foundation(step.step):
            places.setdefault(life_id(cell), cell)
            planned.setdefault(life_id(cell), []).append(step)
    return tuple(
        _life(cell, held.get(name, ()), planned.get(name, ()), rows)
        for name, cell in places.items()
    )


def _life(
    cell: Cell, records: Sequence[Record], planned: Sequence[Step], rows: Sequence[Row]
) -> Life:
    quality = _quality(cell.model, records)
    by_step = {(record.step, record.cell.variant): record for record in records}
    here = (cell.model, cell.size, cell.device, cell.dtype, cell.batch)
    benched = {
        row.variant: row
        for row in rows
        if (row.model, row.size, row.device, row.dtype, row.batch) == here
    }
    stages = [*(_stage(record, quality) for record in records), *(Stage(step=s) for s in planned)]
    train, prune = by_step.get((TRAIN, TRAINED)), by_step.get((PRUNE, PRUNED))
    pruning = prune.result if prune and isinstance(prune.result, PruneResult) else None
    pruned = pruning.metric.pruned if pruning and pruning.metric else None
    return Life(
        id=life_id(cell),
        model=cell.model,
        size=cell.size,
        device=cell.device,
        dtype=cell.dtype,
        batch=cell.batch,
        quality=quality,
        stages=tuple(
            sorted(stages, key=lambda s: (stage_rank(s.step.step), variant_rank(s.step.variant)))
        ),
        states=states_of(by_step, benched, quality),
        training=training_of(train) if train else None,
        recovery=curve_of(pruning.curve) if pruning else None,
        pruned_before_recovery=finite(pruned),
        tunings=_each(records, FINETUNE, lambda record: tuning_of(record, _task(quality))),
        quantized=_each(records, QUANTIZE, quantized_of),
        parallel=_each(records, PARALLEL, parallel_of),
    )


def _each(
    records: Sequence[Record], step: str, make: Callable[[Record], T | None]
) -> tuple[T, ...]:
    """Return the results of `make` for the records of that step, by variant; those without numbers are left out."""
    found = sorted(
        (record for record in records if record.step == step),
        key=lambda record: variant_rank(record.cell.variant),
    )
    return tuple(made for record in found if (made := make(record)) is not None)


def _task(quality: Quality | None) -> str:
    return quality.task if quality else ""


def _stage(record: Record, quality: Quality | None) -> Stage:
    metric = moments_of(record)
    first, last = MOMENTS.get(record.step, ("", ""))
    before, after = metric.get(first), metric.get(last)
    better = None
    if quality and before is not None and after is not None:
        better = gain(quality.task, before, after)
    result = record.result
    state = result.state if isinstance(result, StageResult) else None
    cache_use = result.cache if isinstance(result, ExportResult) else None
    return Stage(
        step=step_of(record),
        claims=result.claims if isinstance(result, StageResult) else (),
        metric=metric,
        before=before,
        after=after,
        gain=better,
        is_reused=bool(state and state.reused) or bool(cache_use and cache_use.hit),
    )


def _quality(model: str, records: Sequence[Record]) -> Quality | None:
    """Return the metric of the model's task: as named in the records, or for records of an older run by the
    catalogue.
    """
    task = next((record.task for record in records if record.task), "") or _catalogue().get(
        model, ""
    )
    return quality_of(task)


def quality_of(task: str) -> Quality | None:
    """Return the metric of a task; None for an unknown one."""
    row = task_row(task)
    if row is None:
        return None
    return Quality(
        task=task,
        name=row.metric,
        unit=row.metric_unit,
        direction=row.metric_direction,
        change_unit=change_unit(task),
    )


@cache
def _catalogue() -> dict[str, str]:
    from suite.catalog import builtin_specs

    return {spec.name: spec.task for spec in builtin_specs()}
