"""Worker side. Detections: what a detector says of each picture, in one form whatever its outputs look like."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from torch import Tensor

from suite.tasks.outputs import must_be_finite

WHOLE: Final = ("boxes", "labels", "scores")
"""Outputs of a detector that decides itself, per picture; the order is the record's."""

CANDIDATES: Final = ("boxes", "scores")
"""Outputs of a detector that leaves the choice to `suite.nets.yolo.detections`, of all pictures at once."""


def detections_of(
    outputs: Sequence[Tensor], names: Sequence[str], num_pictures: int
) -> Iterator[dict[str, Tensor]]:
    """Boxes [D, 4], labels [D] and scores [D] of each picture.

    `names` (default: boxes, labels, scores) are those of one picture's outputs in order, or boxes
    [pictures, candidates, 4] and scores [pictures, candidates, classes], whose doubles are suppressed here. Raises
    ValueError for other names, another number of outputs, and outputs that are not finite.
    """
    from suite.nets.yolo import detections

    names = tuple(names) or WHOLE
    kinds = {tuple(sorted(kind)): kind for kind in (WHOLE, CANDIDATES)}
    kind = kinds.get(tuple(sorted(names)))
    expected = len(names) * (1 if kind == CANDIDATES else num_pictures)
    if kind is None or len(outputs) != expected:
        raise ValueError(
            f"{len(outputs)} outputs named {', '.join(names)} for {num_pictures} pictures; expected boxes, labels"
            " and scores of each picture in turn, or boxes and scores of all candidates. Next: the record's `outputs`"
        )
    must_be_finite(outputs)
    outputs = [output.cpu() for output in outputs]
    if kind == CANDIDATES:
        boxes, scores = (outputs[names.index(name)] for name in CANDIDATES)
        for row in range(num_pictures):
            yield detections(boxes[row], scores[row])
        return
    for start in range(0, expected, len(names)):
        yield dict(zip(names, outputs[start : start + len(names)], strict=True))
