"""Rows of the report: the records of one model, state, size, device, dtype and batch combined."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from bench.stats import percentile
from bench.summary.backend_results import (
    Doubter,
    arms_of,
    lane_of,
    quantity_of,
    speedups_of,
    timing_of,
)
from bench.summary.elements import Quantity, Step
from bench.summary.graphs import count_of, graph_of, parity_of
from bench.summary.model import Learning, Loading, Row
from bench.summary.numbers import durations
from bench.summary.places import is_foundation, is_stage, row_id, variant_rank
from bench.summary.step_outcomes import step_of
from suite.axes import BACKENDS, EXPORT, ORIGINAL
from suite.cell import Cell
from suite.record import Measurement, Record
from suite.results.measuring import TrainingStepResult

SHARED: Final = (EXPORT, "size")
"""Steps run once per model, size and state; other devices, dtypes and batches share them."""

_Shared = Mapping[tuple[str, str, str], Sequence[Record]]


def rows_of(records: Iterable[Record], doubter: Doubter) -> tuple[Row, ...]:
    """Return one row per benchmarked (model, size, device, dtype, batch, variant), in the run's order, with the states
    of one model together. Stages of a model's life make no row.
    """
    groups: dict[str, list[Record]] = {}
    shared: dict[tuple[str, str, str], list[Record]] = {}
    for record in records:
        if is_foundation(record.step) or (
            is_stage(record.cell, record.step) and record.step != EXPORT
        ):
            continue
        groups.setdefault(row_id(record.cell), []).append(record)
        if record.step in SHARED:
            shared.setdefault(_model(record.cell), []).append(record)
    measured = {_model(group[0].cell) for group in groups.values() if _has_own(group)}
    first: dict[str, int] = {}
    for group in groups.values():
        first.setdefault(row_id(replace(group[0].cell, variant=ORIGINAL)), len(first))

    def place(group: Sequence[Record]) -> tuple[int, tuple[int, str]]:
        cell = group[0].cell
        return first[row_id(replace(cell, variant=ORIGINAL))], variant_rank(cell.variant)

    return tuple(
        _row(group, shared, doubter)
        for group in sorted(groups.values(), key=place)
        # A run on a GPU alone exports on the CPU: that is not a row, its graph is in the GPU's row.
        # Neither is a state that was exported as a stage of the model's life and not measured.
        if _has_own(group)
        or (group[0].cell.variant == ORIGINAL and _model(group[0].cell) not in measured)
    )


def _model(cell: Cell) -> tuple[str, str, str]:
    return cell.model, cell.size, cell.variant


def _has_own(group: Sequence[Record]) -> bool:
    return any(record.step not in SHARED for record in group)


def _row(group: Sequence[Record], shared: _Shared, doubter: Doubter) -> Row:
    cell = group[0].cell
    common = shared.get(_model(cell), ())
    size = _closest(cell, [r for r in common if r.step == "size"])
    export = _closest(cell, [r for r in common if r.step == EXPORT])
    by_backend: dict[str, list[Record]] = {}
    for record in group:
        by_backend.setdefault(record.cell.backend, []).append(record)
    order = {name: place for place, name in enumerate(BACKENDS)}
    arms = arms_of(group)
    lanes = tuple(
        lane_of(backend, by_backend[backend], doubter, arms)
        for backend in sorted(by_backend, key=lambda name: (order.get(name, len(order)), name))
    )
    own = {record.key for record in group}
    outside: tuple[Step, ...] = tuple(
        step_of(r) for r in (size, export) if r is not None and r.key not in own
    )
    return Row(
        shared=outside,
        id=row_id(cell),
        model=cell.model,
        size=cell.size,
        device=cell.device,
        dtype=cell.dtype,
        batch=cell.batch,
        length=cell.length,
        variant=cell.variant,
        lanes=lanes,
        speedups=speedups_of(lanes, cell.variant, cell.dtype),
        parameters=count_of(size, "parameters"),
        parameter_bytes=count_of(size, "parameter_bytes"),
        macs=count_of(size, "macs"),
        graph=graph_of(export),
        parity=parity_of(export),
        learning=learning_of(group),
    )


def _closest(cell: Cell, records: Sequence[Record]) -> Record | None:
    """Return the record whose cell has most in common with `cell`."""
    return max(
        records,
        key=lambda r: (
            (r.cell.batch, r.cell.length) == (cell.batch, cell.length),
            r.cell.dtype == cell.dtype,
            r.cell.device == cell.device,
            r.outcome.has_run,
        ),
        default=None,
    )


# Cost of training and data loading in a row of the report, from the steps `training` and `dataloader`.


def learning_of(records: Sequence[Record]) -> Learning | None:
    """Return the training cost in these records of one row; None if none was measured."""
    ran = [record for record in records if record.outcome.has_run]
    training = next((r for r in ran if r.step == "training"), None)
    loader = next((r for r in ran if r.step == "dataloader"), None)
    if training is None and loader is None:
        return None
    result = training.result if training else None
    own = result if isinstance(result, TrainingStepResult) else TrainingStepResult()
    return Learning(
        step=timing_of(training, "training_step", "training_throughput") if training else None,
        num_samples=own.num_samples,
        memory=_memory(training) if training else (),
        optimizer=own.optimizer,
        precision=own.precision,
        loading=_loading(loader) if loader else (),
    )


def _memory(record: Record) -> tuple[Quantity, ...]:
    names = (m.metric for m in record.measurements if m.metric != "training_step")
    found = (quantity_of(record, name) for name in names)
    return tuple(quantity for quantity in found if quantity is not None)


def _loading(record: Record) -> tuple[Loading, ...]:
    found = (_rate(m) for m in record.measurements if m.metric == "loading")
    return tuple(
        sorted((rate for rate in found if rate is not None), key=lambda rate: rate.num_workers)
    )


def _rate(measurement: Measurement) -> Loading | None:
    middle = percentile(durations(measurement.samples), 0.5)
    number = measurement.facts.num_workers
    if middle is None or number is None:
        return None
    return Loading(
        num_workers=number,
        rate=middle.value,
        low=middle.low,
        high=middle.high,
        is_pinned=measurement.facts.pinned is True,
        batch=measurement.facts.batch,
    )
