"""Worker side. Letterboxing of a picture and its boxes into a detector's square, with distortions in training."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suite.tasks.framing import grey, resized, tensor_of

GREY: Final = 114
"""Padding value, of 255: YOLO's usual one, about the mean of photographs."""

OUT: Final = 1.5
"""Maximum factor by which a picture is randomly shrunk."""


def squared(
    pixels: NDArray[np.uint8],
    boxes: Tensor,
    side: int,
    rng: np.random.Generator | None,
    *,
    mirrors: bool,
) -> tuple[Tensor, Tensor]:
    """Return the letterboxed picture [3, side, side] within 0..1, and its boxes.

    `pixels` [height, width, 3] is no larger than the square and placed at its top left, padded with grey. With `rng` it
    is distorted as by SSD's authors (Liu et al., 2016): in colour, shrunk up to 1.5 times and placed at random within
    its frame with probability 0.5, mirrored with probability 0.5 if `mirrors`. `boxes` [objects, 4] are x1, y1, x2, y2
    in pixels.
    """
    height, width = pixels.shape[:2]
    picture, top, left = tensor_of(pixels), 0, 0
    if rng is not None:
        if rng.random() < 0.5:
            out = rng.uniform(1.0, OUT)
            rows, columns = int(height / out), int(width / out)
            picture = resized(picture, rows, columns)
            top = int(rng.integers(height - rows + 1))
            left = int(rng.integers(width - columns + 1))
            boxes = boxes * torch.tensor((columns / width, rows / height) * 2)
        values = distorted(picture.float(), rng)
        if mirrors and rng.random() < 0.5:
            values = values.flip(-1)
            x1, y1, x2, y2 = boxes.unbind(-1)
            boxes = torch.stack((picture.shape[-1] - x2, y1, picture.shape[-1] - x1, y2), dim=-1)
        boxes = boxes + torch.tensor((left, top) * 2)
    else:
        values = picture.float()
    square = torch.full((3, side, side), float(GREY))
    rows, columns = values.shape[-2:]
    square[:, top : top + rows, left : left + columns] = values
    return square.div_(255), boxes


def distorted(values: Tensor, rng: np.random.Generator) -> Tensor:
    """Change brightness, contrast and saturation of values 0..255 [3, height, width], each with probability 0.5."""
    if rng.random() < 0.5:
        values = values * rng.uniform(0.875, 1.125)
    if rng.random() < 0.5:
        factor = rng.uniform(0.5, 1.5)
        values = values * factor + (1 - factor) * grey(values).mean()
    if rng.random() < 0.5:
        factor = rng.uniform(0.5, 1.5)
        values = values * factor + (1 - factor) * grey(values)
    return values.clamp(0, 255)
