"""Backgrounds of the embedded pictures: seeded crops of scikit-learn's two sample photographs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final

from suite.data.splits import SPLITS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NUM_CUTS: Final = 24
"""Distinct crops per split and size. Each is resized once: resizing took longer than the rest of a picture."""


def backdrop(
    generator: np.random.Generator, split: str, height: int, width: int
) -> NDArray[np.uint8]:
    """Return a crop [height, width, 3] of one photograph to paint on: half to all of it, randomly mirrored.

    No two splits share a crop.
    """
    return _cut(split, int(generator.integers(NUM_CUTS)), height, width).copy()


def contrasting(generator: np.random.Generator, area: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Return a random colour [3] that contrasts with `area`: dark on light, light on dark."""
    import numpy as np

    low, high = (0, 60) if area.mean() > 127 else (195, 256)
    return generator.integers(low, high, 3).astype(np.uint16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Brush:
    """A shape in one colour, prepared for repeated painting."""

    covered: NDArray[np.uint16]
    """[rows, columns, 3]: colour times coverage (0..255), plus 127 for rounding."""
    through: NDArray[np.uint16]
    """[rows, columns, 3]: weight of the background, 0..255."""


def brush(ink: NDArray[np.uint8], color: NDArray[np.uint16]) -> Brush:
    """Return the shape `ink` (0..255, [rows, columns]) as a brush in `color`."""
    import numpy as np

    rows, columns = ink.shape
    # Expanded to three equal channels: broadcasting along so short an axis is ten times slower.
    cover = np.repeat(ink, 3, axis=1).reshape(rows, columns, 3).astype(np.uint16)
    colors = np.tile(color, columns).reshape(columns, 3)
    return Brush(covered=cover * colors + 127, through=255 - cover)


def paint(pixels: NDArray[np.uint8], shape: Brush, top: int, left: int) -> None:
    """Paint the shape into `pixels` in place with its top left corner at `top`, `left`."""
    rows, columns = shape.through.shape[:2]
    area = pixels[top : top + rows, left : left + columns]
    area[:] = (shape.covered + shape.through * area) // 255  # at most 255 * 255 + 127: fits uint16


def photographs() -> list[Any]:
    """Return the two photographs as Pillow images, 640x427."""
    from PIL import Image

    return [Image.fromarray(pixels) for pixels in originals()]


@lru_cache(maxsize=4 * NUM_CUTS)
def _cut(split: str, number: int, height: int, width: int) -> NDArray[np.uint8]:
    """Return crop `number` of a split, resized to height x width."""
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
    """Return the two photographs as arrays, [427, 640, 3]."""
    from sklearn.datasets import load_sample_images

    images: list[NDArray[np.uint8]] = load_sample_images().images
    return images
