"""Counts of the nodes of a graph, and what becomes of them in graphs that run several times or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Count of one node."""

    macs: int | None = 0
    reason: str = ""
    """Reason why `macs` is None."""
    is_alternative: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Counts of one graph."""

    by_key: Mapping[str, Count]
    """Key of a node, including its place -> its count."""
    num_choices: int
    """Number of If nodes of which the larger branch is counted."""


def is_counted(counts: Mapping[str, Count]) -> bool:
    """Return whether every node has a count."""
    return all(count.macs is not None for count in counts.values())


def times(counts: Mapping[str, Count], trips: int) -> dict[str, Count]:
    """Return the counts of a graph that runs so often."""
    return {
        key: replace(count, macs=(count.macs or 0) * trips, reason="")
        if count.macs is not None or trips == 0
        else count
        for key, count in counts.items()
    }


def added(total: Mapping[str, Count], counts: Mapping[str, Count]) -> dict[str, Count]:
    """Return the sum of two passes; for an If that takes both branches, the part that counts."""
    found = dict(total)
    for key, count in counts.items():
        known = found.get(key)
        if known is None:
            found[key] = count
        elif known.macs is None or count.macs is None:
            found[key] = known if known.macs is None else count
        elif known.is_alternative != count.is_alternative:
            found[key] = count if known.is_alternative else known
        else:
            found[key] = replace(known, macs=known.macs + count.macs)
    return found


def set_aside(counts: Mapping[str, Count]) -> dict[str, Count]:
    """Return the counts of a branch that is not the counted one."""
    return {key: replace(count, is_alternative=True) for key, count in counts.items()}


def opened(counts: Mapping[str, Count], reason: str) -> dict[str, Count]:
    """Return the counts of a graph for which the number of runs is unknown."""
    return {
        key: Count(macs=None, reason=count.reason or reason) if count.macs != 0 else count
        for key, count in counts.items()
    }
