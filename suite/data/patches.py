"""Embedded data set `patches`: scikit-learn's digits again, bright, on dimmed crops of its two photographs.

It has the classes of `digits` in another domain, as MNIST-M to MNIST (Ganin et al. 2016): transfer helps but is not
enough. Always bright on dim, because with both contrasts a perceptron of 16 units learned half as much.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from suite.data.backdrops import brush, paint, photographs
from suite.data.digits import CLASSES, bold_stroke, labels
from suite.data.samples import Image
from suite.data.splits import SPLITS, part

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIDE: Final = 32
SMALLEST: Final = 24
"""Smallest side of a digit in pixels."""
DIMMED: Final = 2
"""Divisor of the photographs' size and brightness."""


class Patches:
    """One split; the label is the digit."""

    classes = CLASSES
    keeps_label_when_mirrored = False

    def __init__(self, split: str) -> None:
        self._digits = part(len(labels()), split)
        self._split = split

    def __len__(self) -> int:
        return len(self._digits)

    def __getitem__(self, index: int, /) -> Image:
        import numpy as np

        number = self._digits[index]
        generator = np.random.default_rng((SPLITS.index(self._split), index))
        photo = _dimmed()[int(generator.integers(2))]
        top, left = (int(generator.integers(room - SIDE)) for room in photo.shape[:2])
        pixels = photo[top : top + SIDE, left : left + SIDE].copy()
        side = int(generator.integers(SMALLEST, SIDE + 1))
        shape = brush(bold_stroke(number, side), generator.integers(170, 256, 3).astype(np.uint16))
        top, left = generator.integers(SIDE - side + 1, size=2).tolist()
        paint(pixels, shape, top, left)
        return Image(pixels=pixels, label=int(labels()[number]))


def load(root: str, split: str) -> Patches:
    """Return the pictures of a split (train, validation, test), with the digits of `digits`; `root` is ignored."""
    del root
    return Patches(split)


@cache
def _dimmed() -> list[NDArray[np.uint8]]:
    import numpy as np

    return [np.asarray(photo.reduce(DIMMED)) // DIMMED for photo in photographs()]
