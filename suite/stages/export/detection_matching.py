"""Worker side. Comparison of detection lists: near-equal scores may be listed in either order, and after 8-bit
quantization objects are matched by their boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from suite.spec import Tolerance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = Sequence[NDArray[Any]]

PARTS: Final = ("boxes", "labels", "scores")
"""Outputs with one detection per row; a detector without all three (YOLO's candidates) needs no reordering."""

OVERLAP: Final = 0.5
"""Intersection over union from which two boxes count as the same object, as in mAP50."""


def moving_outputs(names: Sequence[str]) -> list[str]:
    """Return the outputs that must differ between two inputs for a meaningful comparison.

    All of them, except that for a list of detections only the boxes count: sorted scores are similar on any two
    pictures.
    """
    is_list = all(any(name.startswith(part) for name in names) for part in PARTS)
    return [name for name in names if name.startswith("boxes") or not is_list]


def aligned(
    reference: Arrays, actual: Arrays, *, names: Sequence[str], tolerance: Tolerance
) -> list[NDArray[Any]]:
    """Return `actual` with its detections reordered to match eager's.

    Detections come sorted by score, and two whose scores differ by less than rounding may change places. Each of
    eager's detections is matched to the first free one of the graph's that agrees with it in every output within
    tolerance, so a detection moves only among near-equal scores. An unmatched one keeps its place, and so do all if the
    numbers of detections differ: the comparison then reports the difference. Outputs `boxes_1`, `labels_1` ... of
    further images are aligned among themselves.
    """
    result = list(actual)
    for boxes in (name for name in names if name.startswith("boxes")):
        wanted = [f"{part}{boxes.removeprefix('boxes')}" for part in PARTS]
        if not set(wanted) <= set(names):
            continue
        group = [names.index(name) for name in wanted]
        if all(reference[i].shape == actual[i].shape for i in group):
            own = [tolerance.of(name) for name in wanted]
            order = _order([reference[i] for i in group], [actual[i] for i in group], own)
            for i in group:
                result[i] = actual[i][order]
    return result


def _order(reference: Arrays, actual: Arrays, tolerances: Sequence[Tolerance]) -> NDArray[Any]:
    """Return row numbers of `actual`, one per row of `reference`."""
    import numpy as np

    count = len(reference[0])
    order = np.full(count, -1)
    free = np.ones(count, dtype=bool)
    for row in range(count):
        fits = free.copy()
        for a, b, own in zip(reference, actual, tolerances, strict=True):
            allowed = own.atol + own.rtol * np.abs(a[row]) if a.dtype.kind == "f" else 0
            near = np.abs(b - a[row]) <= allowed
            fits &= near.reshape(count, -1).all(axis=1)
        if fits[row] or fits.any():
            order[row] = row if fits[row] else int(fits.argmax())
            free[order[row]] = False
    left = iter(np.flatnonzero(free))
    for lonely in np.flatnonzero(order < 0):
        order[lonely] = next(left)
    return order


def lists_detections(names: Sequence[str]) -> bool:
    """Return whether outputs of these names are lists of detections, best score first, whose order 8 bits change."""
    return set(PARTS) <= set(names)


def found_again(reference: Arrays, actual: Arrays, names: Sequence[str]) -> tuple[int, int]:
    """Return how many of the reference's detections are also in `actual`, and how many there are.

    Each is matched to the free box of its label with the largest overlap, at least half; the best score chooses first.
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
