"""Several steps of one cell from one fresh process: what may share one, and which of its phases are whose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from suite.cell import Cell
from suite.engine.steps import Step

SEPARATOR: Final = "/"
"""Between a step and its phase, in the phases of a shared process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartsOptions:
    """Options of a runner that takes several steps in one process."""

    parts: tuple[str, ...] = ()
    """Names of the steps, in order."""


def parts_with(
    cell: Cell, step: str, steps: Mapping[str, Step], wanted: frozenset[str]
) -> tuple[str, ...]:
    """Return the steps that share `step`'s process, itself among them, in order; empty if it has its own.

    `wanted` holds keys `cell/step` of the steps that are planned and not done.
    """
    row = steps.get(step)
    if row is None or not row.together:
        return ()
    found = tuple(
        name
        for name, other in steps.items()
        if other.together == row.together and (name == step or f"{cell.id}/{name}" in wanted)
    )
    return found if len(found) > 1 else ()


def own_phases(
    phases: Mapping[str, float], part: str, parts: Sequence[str], *, is_first: bool
) -> dict[str, float]:
    """Return the phases of `part` among those of the process, by their own names.

    Phases without a part, such as build and first pass, belong to the first part that is done, as do those of a part
    that was not asked for: they are one observation of a cold start.
    """
    own: dict[str, float] = {}
    for name, seconds in phases.items():
        owner, _, short = name.rpartition(SEPARATOR)
        if owner == part or (is_first and owner not in parts):
            own[short] = seconds
    return own
