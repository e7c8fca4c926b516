"""Worker side. Framing: crop, brightness and contrast of a picture, and its scaling to the model's side."""

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
"""Attempts at a random crop that fits into the picture before the centre is used; torchvision's number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """Transform of a picture and of everything aligned with it."""

    top: int
    left: int
    height: int
    width: int
    """The crop, in pixels of the picture."""
    side: int
    """Side of the square to which the crop is scaled."""
    is_mirrored: bool = False
    brightness: float = 1.0
    """Factor on all values."""
    contrast: float = 1.0
    """Factor on the difference to the picture's mean value."""


def centred(height: int, width: int, side: int) -> Framing:
    """Return the largest centred square."""
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
    """Return a random, nearly square crop of at least the share `least` of the area, in random light.

    As in Szegedy et al., 2014. Mirrored with probability 0.5 if `mirrors`.
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
    """Return the crop of uint8 [..., 3, height, width] as uint8 [..., 3, side, side]; `lit` applies the light."""
    part = _cut(picture, framing)
    side = framing.side
    if part.shape[-2:] != (side, side):
        part = resized(part, side, side)
    return part.flip(-1) if framing.is_mirrored else part


def framed_classes(classes: Tensor, framing: Framing) -> Tensor:
    """Return the same crop of a class map [height, width] with nearest-neighbour scaling: [side, side]."""
    part = _cut(classes, framing)
    rows, columns = (torch.from_numpy(nearest(length, framing.side)) for length in part.shape[-2:])
    part = part[rows][:, columns]
    return part.flip(-1) if framing.is_mirrored else part


def lit(values: Tensor, framing: Framing) -> Tensor:
    """Apply the framing's light in place to values 0..255 of any shape, and return them."""
    if framing.brightness == framing.contrast == 1.0:
        return values
    middle = (1 - framing.contrast) * framing.brightness * float(values.mean())
    return values.mul_(framing.brightness * framing.contrast).add_(middle).clamp_(0, 255)


def grey(values: Tensor) -> Tensor:
    """Return the luma [..., 1, height, width] of [..., 3, height, width], weighted as in ITU-R BT.601."""
    red, green, blue = (values[..., i : i + 1, :, :] for i in range(3))
    return red.mul(0.299).add_(green, alpha=0.587).add_(blue, alpha=0.114)


def resized(picture: Tensor, height: int, width: int) -> Tensor:
    """Return uint8 [..., 3, rows, columns] at height x width, antialiased when smaller."""
    batch = picture if picture.dim() == 4 else picture[None]
    small = interpolate(batch, (height, width), mode="bilinear", antialias=True)
    return small if picture.dim() == 4 else small[0]


def scaled(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Return pictures [..., rows, columns, 3] at height x width, antialiased; the same array if unchanged."""
    if pixels.shape[-3:-1] == (height, width):
        return pixels
    small = resized(tensor_of(pixels), height, width)
    result: NDArray[np.uint8] = small.movedim(-3, -1).contiguous().numpy()
    return result


def scaled_masks(masks: NDArray[np.bool_], height: int, width: int) -> NDArray[np.bool_]:
    """Return masks [objects, rows, columns] at height x width by nearest neighbour."""
    if masks.shape[1:] == (height, width):
        return masks
    rows, columns = nearest(masks.shape[1], height), nearest(masks.shape[2], width)
    return np.ascontiguousarray(masks[:, rows][:, :, columns])


def nearest(length: int, wanted: int) -> NDArray[np.int64]:
    """Return, for each of `wanted` pixels, the index of its source pixel out of `length`."""
    return np.arange(wanted) * length // wanted


def room(size: Sequence[int], side: int, *, is_training: bool, least: float) -> tuple[int, int]:
    """Return the size (height, width) at which to cache a picture of that `size`.

    Its short side is `side`, enlarged in training as crops of the share `least` of the area require; pictures are never
    upscaled.
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
    """Return uint8 [..., height, width, 3] as [..., 3, height, width]; shares memory if the array is writable."""
    writable = pixels if pixels.flags.writeable else pixels.copy()
    return torch.from_numpy(writable).movedim(-1, -3)


def _cut(picture: Tensor, framing: Framing) -> Tensor:
    bottom, right = framing.top + framing.height, framing.left + framing.width
    return picture[..., framing.top : bottom, framing.left : right]
