"""Where a step is shown: in the row of what was benchmarked, in the life of its model, or among the foundations."""

from __future__ import annotations

from typing import Final

from suite.axes import BENCH, EXPORT, FOUNDATIONS, ORIGINAL, STAGES, VARIANTS
from suite.cell import Cell

LIFE: Final = tuple(stage for stage in STAGES if stage not in (BENCH, EXPORT))
"""Steps that are stages of a model's life; the export of another state than the original is one too."""


def is_foundation(step: str) -> bool:
    """True for a known-answer case."""
    return step.partition(":")[0] == FOUNDATIONS


def is_stage(cell: Cell, step: str) -> bool:
    """True for a stage of the model's life; the export of the model as built belongs to the benchmark."""
    return step in LIFE or (step == EXPORT and cell.variant != ORIGINAL)


def row_id(cell: Cell) -> str:
    """The id of the row that shows this cell when it is benchmarked: what its backends have in common."""
    text = f"{cell.model}-{cell.size}-{cell.device}-{cell.dtype}-{cell.extent}"
    return text if cell.variant == ORIGINAL else f"{text}-{cell.variant}"


def life_id(cell: Cell) -> str:
    """The id of the life that the cell is a part of."""
    return f"{cell.model}-{cell.size}-{cell.device}-{cell.dtype}-{cell.extent}-life"


def is_life(place: str) -> bool:
    """True for the id of a life, or of the foundations: for what `pytest suite` goes through."""
    return place.endswith("-life") or place == FOUNDATIONS


def place_of(cell: Cell, step: str) -> str:
    """The id of what shows this step."""
    if is_foundation(step):
        return FOUNDATIONS
    return life_id(cell) if is_stage(cell, step) else row_id(cell)


def variant_rank(name: str) -> tuple[int, str]:
    """For sorting: variants in the order in which they need each other, foreign ones last."""
    order = {variant: place for place, variant in enumerate(VARIANTS)}
    return order.get(name, len(order)), name


def stage_rank(step: str) -> tuple[int, str]:
    """For sorting: stages in the order in which they need each other, foreign ones last."""
    return (STAGES.index(step) if step in STAGES else len(STAGES)), step
