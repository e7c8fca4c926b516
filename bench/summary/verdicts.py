"""Verdict of the newest gate over the commit of a run, read from the gate's `verdict.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from diagnostics.codec import decode_as

GATES: Final = "gates"
"""Folder next to the folder of the runs, with one folder per gate."""
FILE: Final = "verdict.json"
MOST_READ: Final = 50
"""Maximum number of gates that are read, newest first: the cost of a report does not grow with their number."""
NOT_TIMED: Final = "NOT TIMED"
ORDER: Final = ("BROKEN", "REGRESSED", "INCONCLUSIVE", "IMPROVED", "NO-REGRESSION", NOT_TIMED)
"""Verdicts in reading order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRow:
    """One cell in both versions."""

    cell: str
    verdict: str
    """Word of ORDER."""
    estimate: float | None
    """Relative slowdown of head against base: 0.05 = 5% slower."""
    low: float | None
    high: float | None
    """One-sided 95% bounds."""
    exact: tuple[str, ...]
    """Facts that got worse: parameters, bytes, nodes ..."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateVerdict:
    """Verdicts of one gate, cell by cell."""

    name: str
    """Name of its folder."""
    summary: str
    base: str
    head: str
    started_at: str
    counts: Mapping[str, int]
    """Word of ORDER -> number of rows, in that order."""
    rows: tuple[GateRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    label: str
    sha: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Effect:
    estimate: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Exact:
    metric: str
    verdict: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parity:
    verdict: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    cell: str
    verdict: str | None = None
    broken: str = ""
    lost: str = ""
    parity: _Parity = _Parity()
    latency: _Effect | None = None
    exact: tuple[_Exact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    """Part of `verdict.json` that a report needs; `bench.gate.document` writes it."""

    summary: str
    base: _Side
    head: _Side
    started_at: str
    rows: tuple[_Row, ...]


def newest_gate(run: Path, commit: str) -> GateVerdict | None:
    """Return the newest gate next to the run folder whose head is that commit, or None."""
    if not commit:
        return None
    folders = sorted((run.absolute().parent.parent / GATES).glob(f"*/{FILE}"), reverse=True)
    for path in folders[:MOST_READ]:
        try:
            document = decode_as(_Document, json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, RecursionError):
            continue
        if document.head.sha == commit:
            return _verdict(path.parent.name, document)
    return None


def _verdict(name: str, document: _Document) -> GateVerdict:
    rows = sorted(map(_row, document.rows), key=lambda row: ORDER.index(row.verdict))
    words = [row.verdict for row in rows]
    return GateVerdict(
        name=name,
        summary=document.summary,
        base=document.base.label,
        head=document.head.label,
        started_at=document.started_at,
        counts={word: words.count(word) for word in ORDER if word in words},
        rows=tuple(rows),
    )


def _row(row: _Row) -> GateRow:
    worse = tuple(fact.metric for fact in row.exact if fact.verdict == "REGRESSED")
    effect = row.latency or _Effect()
    verdict = row.verdict if row.verdict in ORDER else NOT_TIMED
    if row.broken or row.lost or row.parity.verdict == "failed":
        verdict = "BROKEN"
    elif worse:
        verdict = "REGRESSED"
    return GateRow(
        cell=row.cell,
        verdict=verdict,
        estimate=effect.estimate,
        low=effect.low,
        high=effect.high,
        exact=worse,
    )
