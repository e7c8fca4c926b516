"""Record: one step of one cell, kept as data.

Schema history
  1  first version: what a step found out is one mapping, `facts`.
  2  `result` has a class per step (suite/results); task, data set and diagnosis are fields of the record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
    """Why a cell did not pass."""

    kind: str
    """Exception class, signal name, `deadline`, `gap` ..."""
    message: str
    phase: str = ""
    """The phase the worker was in."""
    log_tail: str = ""
    """Last lines of the worker's own output, traceback included."""
    log: str = ""
    """The whole log, as a path relative to the run folder."""
    url: str = ""
    """For a gap: where it is discussed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One cell seen through one step: a stage (train, export ...) or a measurement (latency, memory ...)."""

    run_id: str
    cell: Cell
    step: str
    """A row of `bench.steps.STEPS`; of a known-answer case with its name: `foundations:matmul`."""
    outcome: Outcome
    failure: Failure | None = None
    phases: Mapping[str, float] = field(default_factory=dict)
    """Phase -> seconds, in the order in which they ran."""
    measurements: tuple[Measurement, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    result: StepResult | None = None
    """What the step found out besides; None where it did not come to an end."""
    task: str = ""
    """The model's task, so that a report knows the metric, also of a user's own model."""
    data: DataSet | None = None
    """Where the samples came from."""
    diagnosis: tuple[Finding, ...] = ()
    """What the doctor finds in the text of the failure, best first."""
    environment_id: str = ""
    """Fingerprint of the machine and its software."""
    started_at: str = ""
    """UTC, ISO 8601."""
    seconds: float = 0.0
    """Wall time of the whole job, launch included; for planning, never a result."""
    schema: int = SCHEMA
    unread: tuple[str, ...] = field(default=(), compare=False)
    """Fields of a stored record that did not fit and were left out, each with the reason; never stored."""

    @property
    def key(self) -> str:
        """What is unique within a run."""
        return f"{self.cell.id}/{self.step}"

    def measurement(self, metric: str) -> Measurement | None:
        """The measurement of that metric, or None."""
        return next((m for m in self.measurements if m.metric == metric), None)

    def as_dict(self) -> dict[str, Any]:
        """The record as JSON-able data."""
        plain = encode(replace(self, measurements=(), result=None, unread=()))
        del plain["unread"]
        measurements = [
            {**encode(m), "facts": encode(m.facts, sparse=True)} for m in self.measurements
        ]
        return {**plain, "measurements": measurements, "result": encode_result(self.result)}


def record_from_dict(data: Mapping[str, Any]) -> Record:
    """The record that `as_dict` gave, of this schema or an earlier one.

    Raises ValueError when its schema is newer or a field is off. A field of the result that does not fit is left out
    and named in `Record.unread`: the outcome and the samples are known all the same.
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
        record = decode_as(Record, {**rest, "schema": SCHEMA})
        return replace(
            record,
            measurements=measurements,
            result=_result(record.step, found["result"], problems),
            data=_or_none(DataSet | None, found["data"], problems),
            diagnosis=_or_none(tuple[Finding, ...], found["diagnosis"] or (), problems) or (),
            unread=tuple(problems),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not a record of schema {schema}: {error}") from error


def _result(step: str, data: Any, problems: list[str]) -> StepResult | None:
    if data is not None and not isinstance(data, Mapping):
        problems.append(f"Record.result: expected an object, got {type(data).__name__}")
        return None
    return None if data is None else decode_result(result_class(step), data, problems)


def _or_none(kind: Any, data: Any, problems: list[str]) -> Any:
    """The decoded data; None, and a problem named, where it does not fit."""
    try:
        return decode(kind, data, problems)
    except ValueError as error:
        problems.append(str(error))
        return None
