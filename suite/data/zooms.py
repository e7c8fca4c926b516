"""Embedded data set `zooms`: a digit that grows, shrinks, turns, appears or vanishes in front of a photograph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from suite.data.backdrops import backdrop, brush, contrasting, paint
from suite.data.clips import NUM_CLIPS, NUM_FRAMES, SIDE
from suite.data.digits import bold_stroke, labels
from suite.data.samples import Clip
from suite.data.splits import SPLITS, part

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

SMALL: Final = 24
LARGE: Final = 88
"""Sides of the digit in pixels between which it grows and shrinks."""
TURN: Final = 150.0
"""Degrees of rotation per clip."""


class Zooms:
    """One split of the clips: 16 frames of 128x128; the label is the digit's change."""

    classes = ("grows", "shrinks", "turns left", "turns right", "appears", "vanishes")
    keeps_label_when_mirrored = False

    def __init__(self, split: str) -> None:
        self._digits = part(len(labels()), split)
        self._split = split

    def __len__(self) -> int:
        return NUM_CLIPS[self._split]

    def __getitem__(self, index: int, /) -> Clip:
        import numpy as np

        if not 0 <= index < len(self):
            raise IndexError(index)
        generator = np.random.default_rng((SPLITS.index(self._split), index))
        label = index % len(self.classes)
        ground = backdrop(generator, self._split, SIDE, SIDE)
        number = self._digits[int(generator.integers(len(self._digits)))]
        side = int(generator.integers(56, LARGE + 1))
        middle = generator.integers(LARGE // 2, SIDE - LARGE // 2 + 1, size=2)
        color = contrasting(generator, ground)
        frames = np.repeat(ground[None], NUM_FRAMES, axis=0)
        film = _film(number, side, self.classes[label])
        for frame, ink in zip(frames, film, strict=True):
            top, left = (middle - len(ink) // 2).tolist()
            paint(frame, brush(ink, color), top, left)
        return Clip(frames=frames, label=label)


def load(root: str, split: str) -> Zooms:
    """Return the clips of a split (train, validation, test), equally many per class (to one). `root` is ignored."""
    del root
    return Zooms(split)


def _film(number: int, side: int, what: str) -> Iterator[NDArray[np.uint8]]:
    """Yield the digit's ink [rows, rows] frame by frame, at most LARGE rows."""
    import numpy as np
    from PIL import Image

    ink = bold_stroke(number, side)
    still = Image.fromarray(ink)
    for frame in range(NUM_FRAMES):
        time = frame / (NUM_FRAMES - 1)
        if what in ("shrinks", "vanishes", "turns right"):
            time = 1 - time
        if what in ("grows", "shrinks"):
            yield bold_stroke(number, round(SMALL + time * (LARGE - SMALL)))
        elif what in ("appears", "vanishes"):
            yield (ink * np.float32(time)).astype(np.uint8)
        else:  # positive angles turn to the left; upright in the middle of the clip
            angle = TURN * (time - 0.5)
            yield np.asarray(still.rotate(angle, resample=Image.Resampling.BILINEAR))
