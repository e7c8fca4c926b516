"""Embedded data set `scenes`: digits on photographs, with exact boxes and masks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from suite.data.backdrops import backdrop, brush, contrasting, paint
from suite.data.digits import bold_stroke, labels
from suite.data.samples import Scene
from suite.data.splits import SPLITS, TEST_SPLIT, TRAIN_SPLIT, VALIDATION_SPLIT, part

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HEIGHT: Final = 480
WIDTH: Final = 640

NUM_SCENES: Final = {TRAIN_SPLIT: 512, VALIDATION_SPLIT: 64, TEST_SPLIT: 128}

VISIBLE: Final = 128
"""Ink (of 255) from which a pixel counts as part of its digit: weaker ink fades into the photograph."""


class Scenes:
    """One split of the scenes: two to five digits each, not touching; label = digit + 1."""

    classes = ("background", *"0123456789")
    keeps_label_when_mirrored = False

    def __init__(self, split: str) -> None:
        self._digits = part(len(labels()), split)
        self._split = split

    def __len__(self) -> int:
        return NUM_SCENES[self._split]

    def __getitem__(self, index: int, /) -> Scene:
        import numpy as np

        if not 0 <= index < len(self):
            raise IndexError(index)
        generator = np.random.default_rng((SPLITS.index(self._split), index))
        pixels = backdrop(generator, self._split, HEIGHT, WIDTH)
        places = squares(generator, int(generator.integers(2, 6)), HEIGHT, WIDTH)
        masks = np.zeros((len(places), HEIGHT, WIDTH), dtype=np.bool_)
        names, boxes = [], []
        for mask, (top, left, side) in zip(masks, places, strict=True):
            number = self._digits[int(generator.integers(len(self._digits)))]
            ink = bold_stroke(number, side)
            area = (slice(top, top + side), slice(left, left + side))
            paint(pixels, brush(ink, contrasting(generator, pixels[area])), top, left)
            mask[area] = ink >= VISIBLE
            names.append(int(labels()[number]) + 1)
            boxes.append(np.add(bounds(mask[area]), (left, top, left, top)))
        return Scene(
            pixels=pixels,
            boxes=np.array(boxes, dtype=np.float32),
            labels=np.array(names, dtype=np.int64),
            masks=masks,
        )


def load(root: str, split: str) -> Scenes:
    """Return the scenes of a split (train, validation, test); no two splits share a digit. `root` is ignored."""
    del root
    return Scenes(split)


def bounds(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Return the bounding box x1, y1, x2, y2 of the True pixels; x2 and y2 are exclusive."""
    import numpy as np

    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def squares(
    generator: np.random.Generator, wanted: int, height: int, width: int
) -> list[tuple[int, int, int]]:
    """Return between one and `wanted` non-overlapping squares (top, left, side).

    Their sides are between 1/6 and 5/12 of the height.
    """
    places: list[tuple[int, int, int]] = []
    for _ in range(8 * wanted):
        side = int(generator.integers(height // 6, height * 5 // 12))
        top, left = int(generator.integers(height - side)), int(generator.integers(width - side))
        if all(
            abs(2 * (top - other[0]) + side - other[2]) >= side + other[2]
            or abs(2 * (left - other[1]) + side - other[2]) >= side + other[2]
            for other in places
        ):
            places.append((top, left, side))
        if len(places) == wanted:
            break
    return places
