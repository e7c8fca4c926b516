"""Worker side. Framing: which part of a picture a model sees, in which light, and how it gets to the model's side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

TRIES: Final = 10
"""Draws of a part that fits into the picture, before the middle is taken; torchvision's number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """What is done to a picture, and the same to whatever lies under it."""

    top: int
    left: int
    height: int
    width: int
    """The part that is kept, in pixels of the picture."""
    side: int
    """Side of the square that the part is scaled to."""
    is_mirrored: bool = False
    brightness: float = 1.0
    """Factor on all values."""
    contrast: float = 1.0
    """Factor on the distance from the picture's mean value."""


def centred(height: int, width: int, side: int) -> Framing:
    """The largest square in the middle."""
    short = min(height, width)
    return Framing(
        top=round((height - short) / 2),
        left=round((width - short) / 2),
        height=short,
        width=short,
        side=side,
    )


def drawn(
    height: int, width: int, side: int, rng: np.random.Generator, *, least: float, mirrors: bool
) -> Framing:
    """A random part, nearly square, of at least `least` of the area, in a random light (Szegedy et al., 2014).

    Mirrored half of the time where `mirrors`.
    """
    part = centred(height, width, side)
    top, left, rows, columns = part.top, part.left, part.height, part.width
    for _ in range(TRIES):
        area = height * width * rng.uniform(least, 1.0)
        ratio = math.exp(rng.uniform(math.log(0.9), math.log(1.1)))
        tall, wide = round(math.sqrt(area / ratio)), round(math.sqrt(area * ratio))
        if tall <= height and wide <= width:
            rows, columns = tall, wide
            top = int(rng.integers(height - tall + 1))
            left = int(rng.integers(width - wide + 1))
            break
    return Framing(
        top=top,
        left=left,
        height=rows,
        width=columns,
        side=side,
        is_mirrored=bool(mirrors and rng.random() < 0.5),
        brightness=rng.uniform(0.8, 1.2),
        contrast=rng.uniform(0.8, 1.2),
    )


def framed(picture: Tensor, framing: Framing) -> Tensor:
    """The part of bytes [..., 3, height, width] as bytes [..., 3, side, side]; the light is `lit`'s."""
    part = _cut(picture, framing)
    side = framing.side
    if part.shape[-2:] != (side, side):
        part = resized(part, side, side)
    return part.flip(-1) if framing.is_mirrored else part


def framed_classes(classes: Tensor, framing: Framing) -> Tensor:
    """The same part of a class map [height, width], each pixel the class of its nearest: [side, side]."""
    part = _cut(classes, framing)
    rows, columns = (torch.from_numpy(nearest(length, framing.side)) for length in part.shape[-2:])
    part = part[rows][:, columns]
    return part.flip(-1) if framing.is_mirrored else part


def lit(values: Tensor, framing: Framing) -> Tensor:
    """Values 0..255 of any shape in the framing's light, in place."""
    if framing.brightness == framing.contrast == 1.0:
        return values
    middle = (1 - framing.contrast) * framing.brightness * float(values.mean())
    return values.mul_(framing.brightness * framing.contrast).add_(middle).clamp_(0, 255)


def grey(values: Tensor) -> Tensor:
    """Luma [..., 1, height, width] of [..., 3, height, width], weighted as in ITU-R BT.601."""
    red, green, blue = (values[..., i : i + 1, :, :] for i in range(3))
    return red.mul(0.299).add_(green, alpha=0.587).add_(blue, alpha=0.114)


def resized(picture: Tensor, height: int, width: int) -> Tensor:
    """Bytes [..., 3, rows, columns] at height x width, smoothed where that is smaller."""
    batch = picture if picture.dim() == 4 else picture[None]
    small = interpolate(batch, (height, width), mode="bilinear", antialias=True)
    return small if picture.dim() == 4 else small[0]


def scaled(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Pictures [..., rows, columns, 3] at height x width, smoothed; the same array where they have that size."""
    if pixels.shape[-3:-1] == (height, width):
        return pixels
    small = resized(tensor_of(pixels), height, width)
    result: NDArray[np.uint8] = small.movedim(-3, -1).contiguous().numpy()
    return result


def scaled_masks(masks: NDArray[np.bool_], height: int, width: int) -> NDArray[np.bool_]:
    """Masks [objects, rows, columns] at height x width, each pixel that of its nearest."""
    if masks.shape[1:] == (height, width):
        return masks
    rows, columns = nearest(masks.shape[1], height), nearest(masks.shape[2], width)
    return np.ascontiguousarray(masks[:, rows][:, :, columns])


def nearest(length: int, wanted: int) -> NDArray[np.int64]:
    """For each of `wanted` pixels the pixel of `length` that it shows."""
    return np.arange(wanted) * length // wanted


def room(size: Sequence[int], side: int, *, is_training: bool, least: float) -> tuple[int, int]:
    """The size (height, width) to keep a picture of that `size` at.

    Its short side is `side`; in training it is as much larger as parts of `least` of the area need, and never enlarged.
    """
    height, width = size
    short = min(height, width)
    wanted = float(side)
    if is_training:
        wanted *= short / min(short, math.sqrt(least * height * width))
        if wanted >= short:
            return height, width
    low = round(wanted)
    return (low, low * width // height) if height <= width else (low * height // width, low)


def tensor_of(pixels: NDArray[np.uint8]) -> Tensor:
    """[..., height, width, 3] of bytes as [..., 3, height, width]; shares its memory where that can be written."""
    writable = pixels if pixels.flags.writeable else pixels.copy()
    return torch.from_numpy(writable).movedim(-1, -3)


def _cut(picture: Tensor, framing: Framing) -> Tensor:
    bottom, right = framing.top + framing.height, framing.left + framing.width
    return picture[..., framing.top : bottom, framing.left : right]
