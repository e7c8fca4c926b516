"""The newest gate over the commit of a run, out of the verdict.json that it left; a foreign or damaged one is none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.summary import facts

GATES: Final = "gates"
"""Folder beside that of the runs; one of each gate below it."""
FILE: Final = "verdict.json"
LOOKED_AT: Final = 50
"""Newest gates that are read: a report does not cost more from gate to gate."""
ORDER: Final = ("BROKEN", "REGRESSED", "INCONCLUSIVE", "IMPROVED", "NO-REGRESSION", "NOT TIMED")
"""What a reader wants to see first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRow:
    """One cell in both versions."""

    cell: str
    verdict: str
    """A word of ORDER."""
    estimate: float | None
    """How much slower head is, as a share of base: 0.05 = 5% slower."""
    low: float | None
    high: float | None
    """One-sided 95% bounds."""
    exact: tuple[str, ...]
    """Facts that got worse: parameters, bytes, nodes ..."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateTold:
    """What a gate said."""

    name: str
    """Of its folder."""
    summary: str
    base: str
    head: str
    started_at: str
    counts: Mapping[str, int]
    """Word of ORDER -> rows, in that order."""
    rows: tuple[GateRow, ...]


def gate_of(run: Path, environment: Mapping[str, Any]) -> GateTold | None:
    """The newest gate beside the run folder whose head is the commit that the run was made at; None without one."""
    git = facts.mapping(environment.get("git")) or facts.mapping(environment.get("repository"))
    commit = git.get("commit")
    if not commit:
        return None
    folders = sorted((run.absolute().parent.parent / GATES).glob(f"*/{FILE}"), reverse=True)
    for path in folders[:LOOKED_AT]:
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if facts.mapping(document["head"]).get("sha") == commit:
                return _told(path.parent.name, document)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
    return None


def _told(name: str, document: Mapping[str, Any]) -> GateTold:
    rows = sorted((_row(row) for row in document["rows"]), key=lambda r: ORDER.index(r.verdict))
    words = [row.verdict for row in rows]
    return GateTold(
        name=name,
        summary=str(document["summary"]),
        base=str(document["base"]["label"]),
        head=str(document["head"]["label"]),
        started_at=str(document["started_at"]),
        counts={word: words.count(word) for word in ORDER if word in words},
        rows=tuple(rows),
    )


def _row(row: Mapping[str, Any]) -> GateRow:
    found = facts.mapping(row.get("latency"))
    verdict = str(row.get("verdict") or "NOT TIMED")
    worse = tuple(str(e["metric"]) for e in row.get("exact", ()) if e.get("verdict") == "REGRESSED")
    is_other = facts.mapping(row.get("parity")).get("verdict") == "failed"
    if row.get("broken") or row.get("lost") or is_other:
        verdict = "BROKEN"
    elif worse:
        verdict = "REGRESSED"
    return GateRow(
        cell=str(row["cell"]),
        verdict=verdict if verdict in ORDER else "NOT TIMED",
        estimate=facts.number(found.get("estimate")),
        low=facts.number(found.get("low")),
        high=facts.number(found.get("high")),
        exact=worse,
    )
