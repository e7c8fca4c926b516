"""Records and measurements from plain data, through the decoder that reads them from a file."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from diagnostics.codec import encode
from suite.record import Measurement, MeasurementFacts, Record, measurement_from, record_from_dict
from suite.results.step_output import encode_result


def record_with(record: Record, facts: dict[str, Any]) -> Record:
    """The record with what a step found out, as a file of schema 1 has it; every field has to fit."""
    found = altered_record(record, facts)
    assert not found.unread, found.unread
    return found


def altered_record(record: Record, facts: dict[str, Any]) -> Record:
    """The same for facts of any shape: those that do not fit are left out."""
    data = {**record.as_dict(), "schema": 1, "facts": facts}
    for name in ("result", "task", "data", "diagnosis"):
        del data[name]
    # Non-finite samples and the measurements' own facts stay as they are.
    return replace(record_from_dict(data), measurements=record.measurements)


def facts_of(record: Record) -> dict[str, Any]:
    """What the record's step found out, as a file of schema 1 has it."""
    found: dict[str, Any] = encode_result(record.result) or {}
    found |= found.pop("report", None) or {}
    metric = found.get("metric")
    if isinstance(metric, dict) and "float32" in metric:
        found["metric"] = {"float" if k == "float32" else k: v for k, v in metric.items()}
    if record.data is not None:
        data = encode(record.data, sparse=True)
        data["data"] = data.pop("name")
        found |= {"data": data} if record.step == "export" else data
    if record.task:
        found["task"] = record.task
    if record.diagnosis:
        found["diagnosis"] = encode(record.diagnosis)
    return found


def facts_from(**facts: Any) -> MeasurementFacts:
    """How a measurement was taken."""
    data = {"metric": "latency", "unit": "s", "samples": [], "facts": facts}
    found: Measurement = measurement_from(data)
    return found.facts
