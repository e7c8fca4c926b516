"""Worker side. Average precision: matching of detections to objects, and the area under precision over recall."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.ops import box_iou

IOU: Final = 0.5
"""Intersection over union from which a detection matches an object."""

LIMIT: Final = 100
"""Detections evaluated per picture, highest scores first; COCO's number."""

RECALLS: Final = np.linspace(0.0, 1.0, 101)
"""Recall thresholds at which the precision is sampled; COCO's."""


def hits(
    boxes: Tensor, labels: Tensor, scores: Tensor, true_boxes: Tensor, true_labels: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return labels, scores and hits [M] of one picture's detections by descending score, M <= 100.

    `boxes` [D, 4] as x1, y1, x2, y2; `labels`, `scores` [D]; `true_boxes`, `true_labels` likewise for the objects [G].
    By descending score, each detection is matched to the unmatched object of its class with the highest IoU; it is a
    hit from an IoU of 0.5, else a false positive (COCO's rule; a second detection of an object is a false positive
    too).
    """
    order = scores.argsort(descending=True, stable=True)[:LIMIT]
    boxes, labels, scores = boxes[order], labels[order], scores[order]
    found = np.zeros(len(order), dtype=np.bool_)
    if len(order) and len(true_boxes):
        overlap = box_iou(boxes, true_boxes)
        overlap[labels[:, None] != true_labels[None]] = 0
        free = overlap.numpy()
        for row in np.flatnonzero(free.max(axis=1) >= IOU):
            best = int(free[row].argmax())
            if free[row, best] >= IOU:
                found[row] = True
                free[:, best] = 0
    return labels, scores, torch.from_numpy(found)


def average_precision(found: NDArray[np.bool_], num_objects: int) -> float:
    """Return the area under precision over recall, 0..1, of one class's detections in all pictures, best first.

    Lin et al., 2014 (COCO): the precision at a recall is the maximum at that recall or above; the mean is over 101
    recalls.
    """
    if not len(found):
        return 0.0
    true = found.cumsum()
    recall = true / num_objects
    precision = true / np.arange(1, len(found) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(recall, RECALLS, side="left")
    return float(np.where(places < len(best), np.append(best, 0.0)[places], 0.0).mean())


def mean_average_precision(
    labels: Tensor, scores: Tensor, found: Tensor, true_labels: Tensor
) -> float:
    """Return the mean of the average precisions in % over the classes that occur among the objects.

    `labels`, `scores`, `found` [detections of all pictures] are as returned by `hits`, `true_labels` [objects of all
    pictures]. Raise ValueError without an object.
    """
    if not len(true_labels):
        raise ValueError(
            "there is no object in these pictures; expected at least one to compute mAP"
        )
    order = scores.argsort(descending=True, stable=True).numpy()
    sorted_labels, sorted_found = labels.numpy()[order], found.numpy()[order]
    classes, counts = np.unique(true_labels.numpy(), return_counts=True)
    return 100 * float(
        np.mean(
            [
                average_precision(sorted_found[sorted_labels == label], int(count))
                for label, count in zip(classes, counts, strict=True)
            ]
        )
    )
