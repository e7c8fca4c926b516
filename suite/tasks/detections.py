"""Worker side. Detections: a detector's outputs per picture, in one form for all detectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from torch import Tensor

from suite.tasks.outputs import must_be_finite

WHOLE: Final = ("boxes", "labels", "scores")
"""Outputs per picture of a detector with its own postprocessing; the order is the record's."""

CANDIDATES: Final = ("boxes", "scores")
"""Outputs, for all pictures at once, of a detector that leaves postprocessing to `suite.nets.yolo.detections`."""


def detections_of(
    outputs: Sequence[Tensor], names: Sequence[str], num_pictures: int
) -> Iterator[dict[str, Tensor]]:
    """Yield boxes [D, 4], labels [D] and scores [D] of each picture.

    `names` (default: boxes, labels, scores) are either one picture's outputs in order, or boxes [pictures, candidates,
    4] and scores [pictures, candidates, classes], to which non-maximum suppression is applied here. Raise ValueError
    for other names, another number of outputs, and outputs that are not finite.
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
