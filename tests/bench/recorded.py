"""Records and measurements from plain data, through the decoder that reads them from a file."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from suite.record import Measurement, MeasurementFacts, Record, measurement_from, record_from_dict


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


def facts_from(**facts: Any) -> MeasurementFacts:
    """How a measurement was taken."""
    data = {"metric": "latency", "unit": "s", "samples": [], "facts": facts}
    found: Measurement = measurement_from(data)
    return found.facts
