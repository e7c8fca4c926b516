"""Worker side. Confusion matrix of true and predicted pixel classes, and the mean IoU computed from it."""

from __future__ import annotations

import torch
from torch import Tensor


def confusion(found: Tensor, truth: Tensor, num_classes: int) -> Tensor:
    """Return the confusion matrix [classes, classes]: row = true class, column = predicted class.

    Both inputs are integers of the same shape. Raise ValueError for a class outside 0..classes - 1.
    """
    for values, what in ((found, "class given"), (truth, "true class")):
        if values.numel() and (values.min() < 0 or values.max() >= num_classes):
            raise ValueError(
                f"{what} {int(values.max() if values.max() >= num_classes else values.min())} with"
                f" {num_classes} classes; expected 0 to {num_classes - 1}"
            )
    pairs = truth.flatten() * num_classes + found.flatten()
    return torch.bincount(pairs, minlength=num_classes**2).view(num_classes, num_classes)


def mean_iou(counts: Tensor) -> float:
    """Return the mean intersection over union in % over the classes that occur in the truth.

    Everingham et al., 2015 (Pascal VOC): intersection / (true + predicted - intersection) per class over the pixels of
    all pictures. Raise ValueError without a pixel.
    """
    counts = counts.double()
    given, true, both = counts.sum(dim=0), counts.sum(dim=1), counts.diagonal()
    occurs = true > 0
    if not occurs.any():
        raise ValueError("there is no pixel to compute the mean IoU of; expected at least one")
    iou = both[occurs] / (true + given - both)[occurs]
    return 100 * float(iou.mean())
