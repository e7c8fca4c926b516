"""Matrix of lives: models by stages and variants, and the few numbers that summarize a life."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.output.names import OUTCOMES, variant_name
from bench.steps import step_name
from bench.summary.lifecycle_records import Life, Stage, State
from bench.summary.places import stage_rank, variant_rank
from suite.axes import ORIGINAL, VARIANTS

SUMMED: Final = tuple(name for name, row in VARIANTS.items() if row.is_summarized)
"""States whose quality loss and speed summarize a life."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One column of the matrix."""

    step: str
    variant: str
    name: str
    """`int8` under `quantize`; the stage's own name if the variant adds nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The columns of one stage."""

    step: str
    name: str
    places: tuple[Place, ...]

    @property
    def is_alone(self) -> bool:
        """Whether the stage makes a single variant, so that its name is sufficient: build, train, prune."""
        made = [name for name, row in VARIANTS.items() if row.stage == self.step]
        return len(self.places) == 1 and (len(made) == 1 or self.places[0].variant == ORIGINAL)


def groups_of(lives: Sequence[Life]) -> tuple[Group, ...]:
    """Return the stages of these lives with the variants that they make or export, in lifecycle order."""
    found = {(s.step.step, s.step.variant) for life in lives for s in life.stages}
    steps = sorted({step for step, _ in found}, key=stage_rank)
    return tuple(
        Group(
            step=step,
            name=step_name(step),
            places=tuple(
                Place(step=step, variant=name, name=variant_name(name))
                for name in sorted((v for s, v in found if s == step), key=variant_rank)
            ),
        )
        for step in steps
    )


def stages_in(life: Life, group: Group) -> tuple[Stage | None, ...]:
    """Return the life's stages under the group's columns; None if the life lacks one."""
    return tuple(life.stage(place.step, place.variant) for place in group.places)


def summed_states(lives: Sequence[Life]) -> tuple[str, ...]:
    """Return those of the summarizing states that have numbers in any of these lives."""
    return tuple(name for name in SUMMED if any(_has_numbers(life.state(name)) for life in lives))


def ends_of(life: Life) -> dict[str, int]:
    """Return outcome -> number of the life's stages, in reading order."""
    counts = Counter(stage.step.outcome for stage in life.stages)
    return {name: counts[name] for name in (*OUTCOMES, *counts) if counts.get(name)}


def _has_numbers(state: State | None) -> bool:
    if state is None:
        return False
    return any(x is not None for x in (state.drop, state.ratio, state.relative_error))
