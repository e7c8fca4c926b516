"""Backgrounds of the embedded scenes and clips: seeded cut-outs of scikit-learn's two sample photographs."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def backdrop(generator: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """A cut-out [height, width, 3] of one photograph, between half and all of it, sometimes mirrored."""
    import numpy as np
    from PIL import Image

    photo = _photographs()[int(generator.integers(2))]
    share = float(generator.uniform(0.5, 1.0))
    rows, columns = int(photo.shape[0] * share), int(photo.shape[1] * share)
    top = int(generator.integers(photo.shape[0] - rows + 1))
    left = int(generator.integers(photo.shape[1] - columns + 1))
    cut = photo[top : top + rows, left : left + columns]
    if generator.random() < 0.5:
        cut = cut[:, ::-1]
    image = Image.fromarray(np.ascontiguousarray(cut)).resize((width, height))
    return np.array(image)


def contrasting(generator: np.random.Generator, area: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A random colour [3] that stands out from `area`: dark on light, light on dark."""
    import numpy as np

    low, high = (0, 60) if area.mean() > 127 else (195, 256)
    return generator.integers(low, high, 3).astype(np.float32)


def paint(
    pixels: NDArray[np.uint8],
    ink: NDArray[np.uint8],
    color: NDArray[np.float32],
    top: int,
    left: int,
) -> None:
    """Draws `ink` (0..255, [rows, columns]) in `color` into `pixels` in place, its corner at `top`, `left`."""
    import numpy as np

    rows, columns = ink.shape
    area = pixels[top : top + rows, left : left + columns]
    cover = (ink.astype(np.float32) / 255)[..., None]
    area[:] = (cover * color + (1 - cover) * area).round().astype(np.uint8)


@cache
def _photographs() -> list[NDArray[np.uint8]]:
    from sklearn.datasets import load_sample_images

    images: list[NDArray[np.uint8]] = load_sample_images().images
    return images
