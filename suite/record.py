"""Record: one step of one cell, kept as data.

Schema history
  1  first version: a step's findings are one mapping, `facts`.
  2  `result` has a class per step (suite/results); task, data set and diagnosis are fields of the record.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any, Final

from diagnostics.codec import decode, decode_as, encode
from diagnostics.finding import Finding
from suite.cell import Cell
from suite.measurement import Artifact as Artifact
from suite.measurement import Measurement as Measurement
from suite.measurement import MeasurementFacts as MeasurementFacts
from suite.measurement import measurement_from as measurement_from
from suite.outcome import Outcome
from suite.result_types import result_class
from suite.results.schema1 import split_facts
from suite.results.step_output import decode_result, encode_result
from suite.results.step_result import DataSet, StepResult

SCHEMA: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The reason why a cell did not pass."""

    kind: str
    """Exception class, signal name, `deadline`, `gap` ..."""
    message: str
    phase: str = ""
    """Phase of the worker at the failure."""
    log_tail: str = ""
    """Last lines of the worker's own output, including the traceback."""
    log: str = ""
    """Path of the whole log, relative to the run folder."""
    url: str = ""
    """For a gap: link to its discussion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One step of one cell: a stage (train, export ...) or a measurement (latency, memory ...)."""

    run_id: str
    cell: Cell
    step: str
    """A row of `bench.steps.STEPS`; a known-answer case has its name added: `foundations:matmul`."""
    outcome: Outcome
    failure: Failure | None = None
    phases: Mapping[str, float] = field(default_factory=dict)
    """Phase -> seconds, in execution order."""
    measurements: tuple[Measurement, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    result: StepResult | None = None
    """Other findings of the step; None if it did not finish."""
    task: str = ""
    """The model's task, which gives a report the metric, including for a user's own model."""
    data: DataSet | None = None
    """Origin of the samples."""
    diagnosis: tuple[Finding, ...] = ()
    """The doctor's findings in the text of the failure, best first."""
    environment_id: str = ""
    """Fingerprint of the machine and its software."""
    started_at: str = ""
    """UTC, ISO 8601."""
    seconds: float = 0.0
    """Wall time of the whole job, including launch; for scheduling, never a result."""
    schema: int = SCHEMA
    unread: tuple[str, ...] = field(default=(), compare=False)
    """Fields of a stored record that were invalid and left out, each with the reason; never stored."""

    @property
    def key(self) -> str:
        """Key of the record, unique within a run."""
        return f"{self.cell.id}/{self.step}"

    def measurement(self, metric: str) -> Measurement | None:
        """Return the measurement of that metric, or None."""
        return next((m for m in self.measurements if m.metric == metric), None)

    def as_dict(self) -> dict[str, Any]:
        """Return the record as JSON-able data."""
        found = {name: encode(getattr(self, name)) for name in _AS_THEY_ARE}
        found["measurements"] = [_measurement_dict(m) for m in self.measurements]
        found["result"] = encode_result(self.result)
        return found


_AS_THEY_ARE: Final = tuple(
    item.name for item in fields(Record) if item.name not in ("measurements", "result", "unread")
)


def _measurement_dict(measurement: Measurement) -> dict[str, Any]:
    """Return the measurement as data, of its facts those that it has: they are many, and most do not apply."""
    return {
        item.name: encode(getattr(measurement, item.name), sparse=item.name == "facts")
        for item in fields(Measurement)
    }


def record_from_dict(data: Mapping[str, Any]) -> Record:
    """Return the record from the data of `as_dict`, of this schema or an earlier one.

    Raise ValueError if its schema is newer or a field is invalid. An invalid field of the result is left out and named
    in `Record.unread`: the outcome and the samples are still known.
    """
    schema = data.get("schema")
    if not isinstance(schema, int) or schema > SCHEMA:
        raise ValueError(
            f"record schema is {schema!r}; this version reads up to {SCHEMA}: upgrade torch-vitals"
        )
    rest = dict(data)
    try:
        if schema == 1:
            split = split_facts(rest.pop("facts", {}))
            rest |= {
                "result": split.result or None,
                "task": split.task,
                "data": split.data,
                "diagnosis": split.diagnosis,
            }
        problems: list[str] = []
        found = {name: rest.pop(name, None) for name in ("result", "data", "diagnosis", "unread")}
        measurements = tuple(
            measurement_from(row, problems) for row in rest.pop("measurements", ())
        )
        found["result"] = _result(rest.get("step", ""), found["result"], problems)
        if found["data"] is not None:
            found["data"] = _or_none(DataSet, found["data"], problems)
        diagnosis = found["diagnosis"]
        found["diagnosis"] = (
            _or_none(tuple[Finding, ...], diagnosis, problems) or () if diagnosis else ()
        )
        found["unread"] = tuple(problems)
        if isinstance(cell := rest.get("cell"), dict):
            with suppress(
                TypeError
            ):  # a list among its fields: the record is read again to name it
                rest["cell"] = _cell(tuple(cell.items()))
        return decode_as(Record, {**rest, **found, "measurements": measurements, "schema": SCHEMA})
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not a record of schema {schema}: {error}") from error


@lru_cache(maxsize=64)
def _cell(items: tuple[tuple[str, Any], ...]) -> Cell:
    """Return the cell with these fields: the steps of a cell stand side by side in a file, and share it."""
    return decode_as(Cell, dict(items))


def _result(step: str, data: Any, problems: list[str]) -> StepResult | None:
    if data is not None and not isinstance(data, Mapping):
        problems.append(f"Record.result: expected an object, got {type(data).__name__}")
        return None
    return None if data is None else decode_result(result_class(step), data, problems)


def _or_none(kind: Any, data: Any, problems: list[str]) -> Any:
    """Return the decoded data, or None if it is invalid, adding a problem."""
    try:
        return decode(kind, data, problems)
    except ValueError as error:
        problems.append(str(error))
        return None
