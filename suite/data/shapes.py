"""Embedded data set `shapes`: discs, squares and triangles on photographs, with exact boxes and masks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from suite.data.backdrops import backdrop, brush, contrasting, paint
from suite.data.samples import Scene
from suite.data.scenes import NUM_SCENES, bounds, squares
from suite.data.splits import SPLITS, must_be_split

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HEIGHT: Final = 240
WIDTH: Final = 320
SMALLEST: Final = 0.75
"""Smallest share of its square that a shape fills."""


class Shapes:
    """One split: one to four shapes per picture, not touching, at any size and angle."""

    classes = ("background", "disc", "square", "triangle")
    keeps_label_when_mirrored = True

    def __init__(self, split: str) -> None:
        must_be_split(split)
        self._split = split

    def __len__(self) -> int:
        return NUM_SCENES[self._split]

    def __getitem__(self, index: int, /) -> Scene:
        import numpy as np

        if not 0 <= index < len(self):
            raise IndexError(index)
        generator = np.random.default_rng((SPLITS.index(self._split), index))
        pixels = backdrop(generator, self._split, HEIGHT, WIDTH)
        places = squares(generator, int(generator.integers(1, 5)), HEIGHT, WIDTH)
        names = generator.integers(1, len(self.classes), len(places))
        masks = np.zeros((len(places), HEIGHT, WIDTH), dtype=np.bool_)
        boxes = []
        for mask, name, (top, left, side) in zip(masks, names, places, strict=True):
            area = (slice(top, top + side), slice(left, left + side))
            inside = silhouette(
                self.classes[name],
                side,
                share=float(generator.uniform(SMALLEST, 1.0)),
                angle=float(generator.uniform(0.0, 2 * np.pi)),
            )
            color = contrasting(generator, pixels[area])
            paint(pixels, brush(inside.astype(np.uint8) * 255, color), top, left)
            mask[area] = inside
            boxes.append(np.add(bounds(inside), (left, top, left, top)))
        return Scene(
            pixels=pixels,
            boxes=np.array(boxes, dtype=np.float32),
            labels=names.astype(np.int64),
            masks=masks,
        )


def load(root: str, split: str) -> Shapes:
    """Return the pictures of a split (train, validation, test). `root` is ignored."""
    del root
    return Shapes(split)


def silhouette(name: str, side: int, *, share: float, angle: float) -> NDArray[np.bool_]:
    """Return [side, side], True inside a centred disc, square or triangle.

    Its corners (or the disc's border) are `share` of half a side from the centre, rotated by `angle` in radians.
    """
    import numpy as np

    radius = share * side / 2
    offsets = np.arange(side) - (side - 1) / 2
    down, right = offsets[:, None], offsets
    if name == "disc":
        inside: NDArray[np.bool_] = down**2 + right**2 <= radius**2
        return inside
    corners = {"square": 4, "triangle": 3}[name]
    # A regular polygon is the intersection of the half-planes of its sides.
    normals = angle + 2 * np.pi * np.arange(corners) / corners
    reach = radius * np.cos(np.pi / corners)
    inside = np.ones((side, side), dtype=np.bool_)
    for normal in normals:
        inside &= down * np.sin(normal) + right * np.cos(normal) <= reach
    return inside
