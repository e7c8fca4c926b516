"""Backgrounds of the embedded pictures: seeded cut-outs of scikit-learn's two sample photographs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final

from suite.data.splits import SPLITS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NUM_CUTS: Final = 24
"""Different cut-outs per split and size. Each is scaled once: scaling took longer than all the rest of a picture."""


def backdrop(
    generator: np.random.Generator, split: str, height: int, width: int
) -> NDArray[np.uint8]:
    """A cut-out [height, width, 3] of one photograph, between half and all of it, some mirrored; to paint on.

    No cut-out belongs to two splits.
    """
    return _cut(split, int(generator.integers(NUM_CUTS)), height, width).copy()


def contrasting(generator: np.random.Generator, area: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """A random colour [3] that stands out from `area`: dark on light, light on dark."""
    import numpy as np

    low, high = (0, 60) if area.mean() > 127 else (195, 256)
    return generator.integers(low, high, 3).astype(np.uint16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Brush:
    """A shape in one colour, ready to be painted many times."""

    covered: NDArray[np.uint16]
    """[rows, columns, 3]: what the shape itself adds, times 255, and half for rounding."""
    through: NDArray[np.uint16]
    """[rows, columns, 3]: how much of what lies below is seen, 0..255."""


def brush(ink: NDArray[np.uint8], color: NDArray[np.uint16]) -> Brush:
    """The shape `ink` (0..255, [rows, columns]) in `color`."""
    import numpy as np

    rows, columns = ink.shape
    # Written out to three equal channels: broadcasting along so short an axis is ten times slower.
    cover = np.repeat(ink, 3, axis=1).reshape(rows, columns, 3).astype(np.uint16)
    colors = np.tile(color, columns).reshape(columns, 3)
    return Brush(covered=cover * colors + 127, through=255 - cover)


def paint(pixels: NDArray[np.uint8], shape: Brush, top: int, left: int) -> None:
    """Paints the shape into `pixels` in place, its corner at `top`, `left`."""
    rows, columns = shape.through.shape[:2]
    area = pixels[top : top + rows, left : left + columns]
    area[:] = (shape.covered + shape.through * area) // 255  # at most 255 * 255 + 127: fits 16 bits


def photographs() -> list[Any]:
    """The two photographs as Pillow's pictures, 640x427."""
    from PIL import Image

    return [Image.fromarray(pixels) for pixels in originals()]


@lru_cache(maxsize=4 * NUM_CUTS)
def _cut(split: str, number: int, height: int, width: int) -> NDArray[np.uint8]:
    """Cut-out `number` of that split at that size."""
    import numpy as np
    from PIL import Image

    generator = np.random.default_rng((SPLITS.index(split), number))
    photo = photographs()[number % 2]
    share = float(generator.uniform(0.5, 1.0))
    rows, columns = int(photo.height * share), int(photo.width * share)
    top = int(generator.integers(photo.height - rows + 1))
    left = int(generator.integers(photo.width - columns + 1))
    cut = photo.resize((width, height), box=(left, top, left + columns, top + rows))
    if generator.random() < 0.5:
        cut = cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.asarray(cut)


@cache
def originals() -> list[NDArray[np.uint8]]:
    """The two photographs, [427, 640, 3]."""
    from sklearn.datasets import load_sample_images

    images: list[NDArray[np.uint8]] = load_sample_images().images
    return images
