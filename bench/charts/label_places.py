"""Placement of labels next to points, covering neither each other nor the points, even in narrow drawings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 300.0
"""Pixels of the narrowest drawing; in a wider one horizontal distances are larger."""
LETTER: Final = 6.6
LINE: Final = 15.0
GAP: Final = 11.0
"""Pixels from a point to its label."""

_Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class LabelPlace:
    """Position of a label, in pixels from its point."""

    x: float
    y: float
    """y of the middle of its line."""
    is_left: bool
    """Whether it ends at x instead of starting there."""

    @property
    def is_far(self) -> bool:
        """Whether it is far enough from its point to need a line to it."""
        return abs(self.y) > LINE


def places_for(
    points: Sequence[tuple[float, float]],
    labels: Sequence[str],
    height: float,
    joined: Sequence[bool] = (),
) -> tuple[LabelPlace, ...]:
    """Return a position for each label. Points are (percent from the left, pixels from the top); from those in `joined`
    a line goes right and down, which their labels avoid if possible.
    """
    taken: list[_Box] = [
        (left * WIDTH / 100 - 7, top - 7, left * WIDTH / 100 + 7, top + 7) for left, top in points
    ]
    found: dict[int, LabelPlace] = {}
    for number in sorted(range(len(points)), key=lambda i: (points[i][1], points[i][0])):
        left, top = points[number]
        is_joined = number < len(joined) and joined[number]
        to_left = is_joined or left > 55
        candidates = [
            (LabelPlace(-GAP if is_left else GAP, dy, is_left), left * WIDTH / 100, top)
            for dy in (0.0, -LINE, LINE, -2 * LINE, 2 * LINE, -3 * LINE, 3 * LINE, 4 * LINE)
            for is_left in (to_left, not to_left)
            if not (is_joined and not is_left and dy == 0)
        ]
        boxes = [(place, _box(place, x, y, labels[number])) for place, x, y in candidates]
        inside = [
            (place, box) for place, box in boxes if box[1] >= -LINE and box[3] <= height + LINE
        ]
        free = (
            (place, box)
            for place, box in inside
            if box[0] >= 0 and box[2] <= WIDTH and not any(_meet(box, other) for other in taken)
        )
        place, box = next(free, (inside or boxes)[0])
        found[number] = place
        taken.append(box)
    return tuple(found[number] for number in range(len(points)))


def _box(place: LabelPlace, x: float, y: float, label: str) -> _Box:
    width = LETTER * len(label)
    start = x + place.x - (width if place.is_left else 0)
    return (start, y + place.y - LINE / 2, start + width, y + place.y + LINE / 2)


def _meet(a: _Box, b: _Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
