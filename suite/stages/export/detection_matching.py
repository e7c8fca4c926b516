"""Worker side. Detections in one order: boxes whose scores tie within tolerance may be listed
either way round.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from suite.spec import Tolerance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = Sequence[NDArray[Any]]

PARTS: Final = ("boxes", "labels", "scores")
"""Outputs that list one detection a row; a detector without all three (YOLO's candidates) has no
order to mend."""


def moving_outputs(names: Sequence[str]) -> list[str]:
    """The outputs that must differ between two inputs for a comparison to mean something.

    All of them, but of a list of detections the boxes only: sorted scores are alike on any two
    pictures.
    """
    is_list = all(any(name.startswith(part) for name in names) for part in PARTS)
    return [name for name in names if name.startswith("boxes") or not is_list]


def aligned(
    reference: Arrays, actual: Arrays, *, names: Sequence[str], tolerance: Tolerance
) -> list[NDArray[Any]]:
    """`actual` with its detections moved to where eager lists them.

    Detections come sorted by score, and two whose scores differ by less than rounding may change
    places. Each of eager's detections takes the first free one of the graph's that agrees with it
    in every output within tolerance, so a detection moves only among near-equal scores. One that
    has no partner stays where it is, and so does everything when the numbers of detections differ:
    the comparison then says what is wrong. Outputs `boxes_1`, `labels_1` ... of further images are
    aligned among themselves.
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
    """Row numbers of `actual`, one per row of `reference`."""
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
