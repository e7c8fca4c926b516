"""JSON form of the report: the stable document of docs/report-schema.md."""

from __future__ import annotations

from typing import Any

from bench.output import json_text
from bench.summary.model import Report


def to_document(report: Report) -> dict[str, Any]:
    """Return the report as JSON-able data; NaN and infinities become null."""
    found: dict[str, Any] = json_text.finite(report.as_dict())
    return found


def to_json(report: Report) -> str:
    """Return the document as indented text with a final newline."""
    return json_text.to_json(report.as_dict())
