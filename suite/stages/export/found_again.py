"""Worker side. Lists of detections compared where numbers are rounded: which objects of one list the other has too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from suite.stages.export.detection_matching import PARTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = Sequence[NDArray[Any]]

OVERLAP: Final = 0.5
"""Intersection over union from which on two boxes mean the same object, as in mAP50."""


def lists_detections(names: Sequence[str]) -> bool:
    """Whether outputs of these names are lists of detections, best score first: in 8 bits their order says nothing."""
    return set(PARTS) <= set(names)


def found_again(reference: Arrays, actual: Arrays, names: Sequence[str]) -> tuple[int, int]:
    """How many of the reference's detections are in `actual` as well, and how many there are.

    Each takes the free box of its label that overlaps it most, by half at least; the best score chooses first.
    """
    import torch
    from torchvision.ops import box_iou

    boxes, labels = names.index("boxes"), names.index("labels")
    total = len(reference[boxes])
    if not total or not len(actual[boxes]):
        return 0, total
    overlap = box_iou(torch.from_numpy(reference[boxes]), torch.from_numpy(actual[boxes]))
    same = torch.from_numpy(reference[labels])[:, None] == torch.from_numpy(actual[labels])
    overlap = overlap * same
    found = 0
    for row in range(total):
        best = int(overlap[row].argmax())
        if float(overlap[row, best]) >= OVERLAP:
            found += 1
            overlap[:, best] = 0.0
    return found, total
