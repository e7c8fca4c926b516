"""Several steps of one cell from one fresh process: what may share one, and how its answer becomes their records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from diagnostics.codec import decode_as
from suite.cell import Cell
from suite.engine.steps import Step
from suite.outcome import Outcome
from suite.worker.client import Answer

SEPARATOR: Final = "/"
"""Between a step and its phase, in the phases of a shared process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartsOptions:
    """Options of a runner that takes several steps in one process."""

    parts: tuple[str, ...] = ()
    """Names of the steps, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartsAnswer:
    """What such a runner returns."""

    parts: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Step -> its encoded StepOutput, in the order in which they were taken."""


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


def split(answer: Answer, parts: Sequence[str]) -> dict[str, tuple[Answer, float]] | None:
    """Return part -> (its answer, its seconds), or None if the process did not answer for all of them.

    Phases without a part, such as build and first pass, belong to the first part of the answer, as do those of a part
    that was not asked for: they are one observation of a cold start. Nothing is concluded from a process that
    failed: each step is then tried alone.
    """
    if answer.outcome is not Outcome.PASSED:
        return None
    given = decode_as(PartsAnswer, answer.result).parts
    if any(part not in given for part in parts):
        return None
    first = next(iter(given))
    phases: dict[str, dict[str, float]] = {part: {} for part in parts}
    for name, seconds in answer.phases.items():
        part, _, own = name.rpartition(SEPARATOR)
        phases[part if part in phases else first][own] = seconds
    return {
        part: (
            replace(answer, result=given[part], phases=phases[part]),
            sum(phases[part].values()),
        )
        for part in parts
    }
