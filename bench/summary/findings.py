"""The doctor's findings, as far as the report shows them: about the machine, and about one failure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bench.summary.elements import Finding

_ORDER: Final = {"crash": 0, "error": 1, "warn": 2, "info": 3}
_HARMLESS: Final = ("ok", "skip")


def findings_from(entries: object) -> tuple[Finding, ...]:
    """Findings out of JSON-able data, worst first; harmless ones and entries of another shape are left out."""
    found = [
        Finding(
            level=str(entry.get("level", "info")),
            code=str(entry.get("code", "")),
            summary=str(entry.get("summary", "")),
            cause=str(entry.get("cause") or ""),
            fixes=tuple(text for fix in _list(entry.get("fixes")) if (text := _command(fix))),
        )
        for entry in _list(entries)
        if isinstance(entry, Mapping) and entry.get("level") not in _HARMLESS
    ]
    return tuple(sorted(found, key=lambda finding: _ORDER.get(finding.level, len(_ORDER))))


def _command(fix: object) -> str:
    """The line to run, or what to do where there is none."""
    if not isinstance(fix, Mapping):
        return str(fix)
    words = " ".join(str(word) for word in _list(fix.get("argv")))
    return str(fix.get("shell") or words or fix.get("why") or "")


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else []
