"""The checkup as JSON; the schema is described in docs/doctor.md and numbered here."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from diagnostics.checkup import Checkup
from diagnostics.finding import Finding
from diagnostics.install_commands import line
from diagnostics.redact import Redactor
from diagnostics.registry import AREAS

SCHEMA = 1
"""1: first. Fields are only ever added under one number."""


def document(checkup: Checkup, redactor: Redactor | None = None) -> dict[str, Any]:
    """The JSON-able report; redacted when a redactor is given."""
    environment = checkup.environment
    found: dict[str, Any] = {
        "schema": SCHEMA,
        "tool": "torch-vitals doctor",
        "exit_code": checkup.exit_code,
        "seconds": round(checkup.seconds, 3),
        "counts": checkup.counts(),
        "fingerprint": environment.fingerprint(),
        "areas": [
            {"area": key, "title": title, "level": level.value}
            for key, title, level in checkup.areas()
        ],
        "diagnoses": [
            {
                **_finding(item.finding),
                "consequences": [_finding(other) for other in item.consequences],
            }
            for item in checkup.diagnoses
        ],
        "results": [
            {
                "code": item.code,
                "title": item.title,
                "area": item.area,
                "area_title": AREAS[item.area],
                "status": item.status.value,
                "reason": item.reason,
                "seconds": round(item.seconds, 6),
            }
            for item in checkup.results
        ],
        "environment": environment.as_dict(),
    }
    if redactor is None:
        return found
    shown: dict[str, Any] = redactor.data(found)
    return shown


def _finding(finding: Finding) -> dict[str, Any]:
    data = asdict(finding)
    data["level"] = finding.level.value
    data["fixes"] = [
        {**asdict(fix), "safety": fix.safety.value, "line": line(fix)} for fix in finding.fixes
    ]
    return data
