"""Embedded data set `digits`: scikit-learn's 1,797 handwritten digits as grey 32x32 pictures."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from suite.data.samples import Image
from suite.data.splits import part

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CLASSES: Final = tuple("0123456789")

SIDE: Final = 32
"""Side of the pictures in pixels; the originals are 8x8, too small for any model."""


class Digits:
    """One split of the digits; the label is the digit."""

    classes = CLASSES
    keeps_label_when_mirrored = False

    def __init__(self, split: str) -> None:
        self._labels = originals()[1]
        self._indices = part(len(self._labels), split)

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int, /) -> Image:
        number = self._indices[index]
        grey = stroke(number, SIDE)
        return Image(pixels=grey[..., None].repeat(3, axis=2), label=int(self._labels[number]))


def load(root: str, split: str) -> Digits:
    """Return the digits of a split (train, validation, test); `root` is ignored, since they come with scikit-learn."""
    del root
    return Digits(split)


def stroke(number: int, side: int) -> NDArray[np.uint8]:
    """Return digit `number` (0 to 1796) as ink 0..255 on zero, [side, side], enlarged bilinearly."""
    import numpy as np
    from PIL import Image as Pillow

    small = (originals()[0][number] * (255 / 16)).astype(np.uint8)
    return np.asarray(Pillow.fromarray(small).resize((side, side), Pillow.Resampling.BILINEAR))


def bold_stroke(number: int, side: int) -> NDArray[np.uint8]:
    """Return `stroke` with harder edges, for digits that have to stand out from a photograph."""
    import numpy as np

    return np.minimum(stroke(number, side).astype(np.uint16) * 2, 255).astype(np.uint8)


def labels() -> NDArray[np.int64]:
    """Return the digit shown by each picture, [1797]."""
    return originals()[1]


@cache
def originals() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the original pictures, [1797, 8, 8] within 0..16, and their labels, [1797]."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return bunch.images, bunch.target
