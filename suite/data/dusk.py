"""Folder data set `dusk`: the second task on a folder of pictures. Other pictures of it, dark, bluish and noisy.

The same classes as in `cifar10` in another world, so that what was learned there helps here, but does not do. The
training pictures are those that `cifar10` sets aside: the first task has seen none of them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from suite.data import cifar10
from suite.data.samples import Dataset, Image, Scene
from suite.data.splits import SPLITS

if TYPE_CHECKING:
    from collections.abc import Sequence

LIGHT: Final = (0.6, 0.7, 0.85)
"""What red, green and blue are multiplied by: in the dark the eye sees blue best (Purkinje 1825)."""
NOISE: Final = 6.0
"""Deviation of the noise of a sensor in the dark, in values of 0..255."""

Picture = TypeVar("Picture", Image, Scene)


class Dusk(Generic[Picture]):
    """One split of a folder of pictures, at dusk; labels, boxes and masks stay."""

    keeps_label_when_mirrored = True

    def __init__(self, pictures: Dataset[Picture], split: str) -> None:
        self._pictures: Dataset[Picture] = pictures
        self._split = SPLITS.index(split)
        self.classes: Sequence[str] = pictures.classes

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int, /) -> Picture:
        import numpy as np

        sample: Picture = self._pictures[index]
        generator = np.random.default_rng((self._split, index))
        noise = generator.normal(0.0, NOISE, sample.pixels.shape)
        dark = sample.pixels * np.array(LIGHT) + noise
        return replace(sample, pixels=dark.round().clip(0, 255).astype(np.uint8))


def load(root: str, split: str) -> Dusk[Image]:
    """The pictures of that split; raises ValueError for an unknown split."""
    return Dusk(cifar10.aside(root, split), split)
