"""Folder data set `dusk`: the second task on a folder of pictures: other pictures of it, dark, bluish and noisy.

It has the classes of `cifar10` in another domain, so transfer helps but is not enough. Its training pictures are those
that `cifar10` sets aside, unseen by the first task.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from suite.data import cifar10
from suite.data.samples import Dataset, Image, Scene
from suite.data.splits import SPLITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

LIGHT: Final = (0.6, 0.7, 0.85)
"""Factors for red, green and blue: in the dark the eye is most sensitive to blue (Purkinje 1825)."""
NOISE: Final = 6.0
"""Standard deviation of low-light sensor noise, in values of 0..255."""

Picture = TypeVar("Picture", Image, Scene)


class Dusk(Generic[Picture]):
    """One split of a folder of pictures, at dusk; labels, boxes and masks are unchanged."""

    keeps_label_when_mirrored = True

    def __init__(self, pictures: Dataset[Picture], split: str) -> None:
        self._pictures: Dataset[Picture] = pictures
        self._split = SPLITS.index(split)
        self.classes: Sequence[str] = pictures.classes

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int, /) -> Picture:
        sample: Picture = self._pictures[index]
        return replace(sample, pixels=at_dusk(sample.pixels, (self._split, index)))


def at_dusk(pixels: NDArray[np.uint8], seed: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return the pixels [..., 3] dark, bluish and noisy; the noise depends on the seed alone."""
    import numpy as np

    noise = np.random.default_rng(seed).normal(0.0, NOISE, pixels.shape)
    dark: NDArray[np.float64] = pixels * np.array(LIGHT) + noise
    return dark.round().clip(0, 255).astype(np.uint8)


def load(root: str, split: str) -> Dusk[Image]:
    """Return the pictures of a split; raise ValueError for an unknown split."""
    return Dusk(cifar10.aside(root, split), split)
