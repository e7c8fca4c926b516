"""Embedded data set `clips`: a digit moving over a photograph; the label is the direction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from suite.data.backdrops import backdrop, brush, contrasting, paint
from suite.data.digits import bold_stroke, labels
from suite.data.samples import Clip
from suite.data.splits import SPLITS, TEST_SPLIT, TRAIN_SPLIT, VALIDATION_SPLIT, part

if TYPE_CHECKING:
    import numpy as np

DIRECTIONS: Final = {
    # name -> rows, columns per step
    "right": (0, 1),
    "down-right": (1, 1),
    "down": (1, 0),
    "down-left": (1, -1),
    "left": (0, -1),
    "up-left": (-1, -1),
    "up": (-1, 0),
    "up-right": (-1, 1),
}

NUM_FRAMES: Final = 16
SIDE: Final = 128
STEP: Final = 3
"""Pixels per frame: 45 over a clip, about the digit's own size."""

NUM_CLIPS: Final = {TRAIN_SPLIT: 400, VALIDATION_SPLIT: 48, TEST_SPLIT: 96}


class Clips:
    """One split of the clips: 16 frames of 128x128."""

    classes = tuple(DIRECTIONS)
    keeps_label_when_mirrored = False

    def __init__(self, split: str, *series: int) -> None:
        self._digits = part(len(labels()), split)
        self._split = split
        self._series = series

    def __len__(self) -> int:
        return NUM_CLIPS[self._split]

    def __getitem__(self, index: int, /) -> Clip:
        import numpy as np

        if not 0 <= index < len(self):
            raise IndexError(index)
        generator = np.random.default_rng((SPLITS.index(self._split), index, *self._series))
        label = index % len(DIRECTIONS)
        ground = backdrop(generator, self._split, SIDE, SIDE)
        side = int(generator.integers(40, 64))
        ink = bold_stroke(self._digits[int(generator.integers(len(self._digits)))], side)
        shape = brush(ink, contrasting(generator, ground))
        way = tuple(DIRECTIONS.values())[label]
        starts = [_start(generator, step, SIDE - side) for step in way]
        frames = np.repeat(ground[None], NUM_FRAMES, axis=0)
        for time, frame in enumerate(frames):
            top, left = (
                start + time * STEP * step for start, step in zip(starts, way, strict=True)
            )
            paint(frame, shape, top, left)
        return Clip(frames=frames, label=label)


def load(root: str, split: str) -> Clips:
    """Return the clips of a split (train, validation, test), equally many per direction. `root` is ignored."""
    del root
    return Clips(split)


def _start(generator: np.random.Generator, step: int, room: int) -> int:
    """Return a start position on one axis that keeps the digit inside the frame for the whole clip."""
    path = STEP * (NUM_FRAMES - 1)
    low = path if step < 0 else 0
    high = room - path if step > 0 else room
    return int(generator.integers(low, high + 1))
