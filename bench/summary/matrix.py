"""The matrix of lives: models by stages and variants, and the few numbers that a life comes to."""

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
"""States whose loss of quality and whose speed sum a life up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One column of the matrix."""

    step: str
    variant: str
    name: str
    """`int8` under `quantize`; the stage's own name where the variant says nothing more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The columns of one stage."""

    step: str
    name: str
    places: tuple[Place, ...]

    @property
    def is_alone(self) -> bool:
        """The stage makes one thing, so that its name says it all: build, train, prune."""
        made = [name for name, row in VARIANTS.items() if row.stage == self.step]
        return len(self.places) == 1 and (len(made) == 1 or self.places[0].variant == ORIGINAL)


def groups_of(lives: Sequence[Life]) -> tuple[Group, ...]:
    """The stages of these lives with the variants that they make or export, in the order of a life."""
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
    """The life's stages under the group's columns; None where the life has none."""
    return tuple(life.stage(place.step, place.variant) for place in group.places)


def summed_states(lives: Sequence[Life]) -> tuple[str, ...]:
    """Which of the states that sum a life up have numbers in any of these lives."""
    return tuple(name for name in SUMMED if any(_has_numbers(life.state(name)) for life in lives))


def ends_of(life: Life) -> dict[str, int]:
    """Outcome -> number of the life's stages, in reading order."""
    counts = Counter(stage.step.outcome for stage in life.stages)
    return {name: counts[name] for name in (*OUTCOMES, *counts) if counts.get(name)}


def _has_numbers(state: State | None) -> bool:
    return state is not None and (state.drop is not None or state.ratio is not None)
