"""The report as JSON: the stable document of docs/report-schema.md."""

from __future__ import annotations

import json
import math
from typing import Any

from bench.summary.model import Report


def to_document(report: Report) -> dict[str, Any]:
    """The report as JSON-able data; numbers that JSON cannot say (NaN, infinities) become null."""
    found: dict[str, Any] = _plain(report.as_dict())
    return found


def to_json(report: Report) -> str:
    """The document as indented text with a final newline."""
    return json.dumps(to_document(report), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (str, int, float)):
        return value
    return str(value)
