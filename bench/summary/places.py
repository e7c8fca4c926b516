"""Place of a step in the report: in the row of the benchmark, in the life of its model, or among the foundations."""

from __future__ import annotations

from typing import Final

from suite.axes import BENCH, EXPORT, FOUNDATIONS, ORIGINAL, STAGES, VARIANTS
from suite.cell import Cell

LIFE: Final = tuple(stage for stage in STAGES if stage not in (BENCH, EXPORT))
"""Steps that are stages of a model's life; the export of another state than the original is one too."""


def is_foundation(step: str) -> bool:
    """Return True for a known-answer case."""
    return step.partition(":")[0] == FOUNDATIONS


def is_stage(cell: Cell, step: str) -> bool:
    """Return True for a stage of the model's life; the export of the model as built belongs to the benchmark."""
    return step in LIFE or (step == EXPORT and cell.variant != ORIGINAL)


def row_id(cell: Cell) -> str:
    """Return the id of the row that shows this cell in the benchmark, common to all backends."""
    text = f"{cell.model}-{cell.size}-{cell.device}-{cell.dtype}-{cell.extent}"
    return text if cell.variant == ORIGINAL else f"{text}-{cell.variant}"


def life_id(cell: Cell) -> str:
    """Return the id of the life to which the cell belongs."""
    return f"{cell.model}-{cell.size}-{cell.device}-{cell.dtype}-{cell.extent}-life"


def is_life(place: str) -> bool:
    """Return True for the id of a life, or of the foundations: for the scope of `pytest suite`."""
    return place.endswith("-life") or place == FOUNDATIONS


def place_of(cell: Cell, step: str) -> str:
    """Return the id of the row or life that shows this step."""
    if is_foundation(step):
        return FOUNDATIONS
    return life_id(cell) if is_stage(cell, step) else row_id(cell)


def variant_rank(name: str) -> tuple[int, str]:
    """Return a sort key: variants in order of dependency, unknown ones last."""
    order = {variant: place for place, variant in enumerate(VARIANTS)}
    return order.get(name, len(order)), name


def stage_rank(step: str) -> tuple[int, str]:
    """Return a sort key: stages in order of dependency, unknown ones last."""
    return (STAGES.index(step) if step in STAGES else len(STAGES)), step
