"""Arms, lanes and candidates to choose from, made by hand."""

from __future__ import annotations

from collections.abc import Iterable

from bench.instruments.results import SearchResult
from bench.tune.lanes import Candidate, Cost
from suite.cell import Cell
from suite.results.measuring import PairedArm, SearchedArm

EAGER = Cell(model="net", size="tiny")
NOISE = (1.0, 1.01, 0.99, 1.005, 0.995, 1.0, 1.008, 0.992, 1.002, 0.998)


def arm(label, seconds=1.0, *, num=10, void=(), starved=(), noise=NOISE, **rest):
    """An arm whose turns take `seconds`, give or take a percent."""
    turns = tuple(seconds * noise[i % len(noise)] for i in range(num))
    return SearchedArm(
        label=label,
        turns=PairedArm(cell=label, seconds=turns, void=tuple(void), starved=tuple(starved)),
        **{"threads": 1, **rest},
    )


def candidate(backend="eager", threads=1, *, drop=0.0, size=1000, reason="", **cell):
    """A lane that loses `drop` points."""
    return Candidate(
        cell=Cell(**{"model": "net", "size": "tiny", "backend": backend, **cell}),
        threads=threads,
        cost=None if reason else Cost(drop=drop, metric=95.0 - drop, num_samples=10_000),
        num_bytes=size,
        outcome="unavailable" if reason else "passed",
        reason=reason,
    )


def searched(pairs: Iterable[tuple[Candidate, float]], **rest) -> SearchResult:
    """A search in which each candidate took that many seconds per call."""
    return SearchResult(
        arms=tuple(
            arm(one.label, seconds, threads=one.threads, num_samples=one.cell.batch)
            for one, seconds in pairs
        ),
        passes=10,
        rounds=2,
        stopped_because="decided",
        **rest,
    )
