"""Cost of training and data loading in a row of the report, from the steps `training` and `dataloader`."""

from __future__ import annotations

from collections.abc import Sequence

from bench.stats import percentile
from bench.summary.backend_results import quantity_of, timing_of
from bench.summary.elements import Quantity
from bench.summary.model import Learning, Loading
from bench.summary.numbers import durations
from suite.record import Measurement, Record
from suite.results.measuring import TrainingStepResult


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
