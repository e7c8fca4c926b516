"""Scatter plot of a model's states by latency and quality; positions in percent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from bench.charts.axis import Tick, axis_of
from bench.output.names import backend_mark, backend_name, backend_short, variant_name
from bench.summary.lifecycle_records import Life, State
from bench.summary.quality_text import metric_text
from suite import units
from suite.axes import ORIGINAL, PRUNED, REFERENCE, TRAINED

# Placement of labels next to points, covering neither each other nor the points, even in narrow drawings.

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


HEIGHT: Final = 260.0
"""Height of the drawing in pixels, for placing labels."""


MARK_PATHS: Final = {
    "circle": "M-5.5 0a5.5 5.5 0 1 0 11 0a5.5 5.5 0 1 0-11 0Z",
    "diamond": "M0-6.5L6.5 0L0 6.5L-6.5 0Z",
    "square": "M-5-5H5V5H-5Z",
}
"""Shape of a point (`suite.axes.Backend.mark`) -> its SVG path around the origin."""


def mark_path(backend: str) -> str:
    """Return the SVG path of that backend's points."""
    return MARK_PATHS[backend_mark(backend)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One state in the drawing."""

    state: State
    left: float
    top: float
    low: float | None
    """Ends of the interval of its speed, in percent from the left."""
    high: float | None
    label: str
    place: LabelPlace
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatesPlot:
    """States by latency (faster to the left) and quality (better to the top)."""

    points: tuple[Point, ...]
    front: tuple[tuple[float, float, float, float], ...]
    """Lines (x1, y1, x2, y2) that join the front."""
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    summary: str


def states_plot(life: Life) -> StatesPlot | None:
    """Return the drawing of a life's states; None for fewer than two that have both speed and quality."""
    quality, reference = life.quality, _reference(life)
    shown = [
        s
        for s in life.states
        if s.ratio is not None
        and s.ratio.is_known
        and s.metric is not None
        and math.isfinite(s.metric)
    ]
    if quality is None or reference is None or len(shown) < 2:
        return None
    seconds = [reference / s.ratio.value for s in shown if s.ratio]
    x = axis_of(seconds, is_log=True)
    y = axis_of([s.metric for s in shown if s.metric is not None], room=0.14)
    if x is None or y is None:
        return None
    is_down = quality.direction == "lower"
    spots = []
    for state, at in zip(shown, seconds, strict=True):
        height = y.place(state.metric or 0.0)
        spots.append((x.place(at), height if is_down else 100 - height))
    labels = [_label(state) for state in shown]
    spots_px = [(left, HEIGHT * top / 100) for left, top in spots]
    places = places_for(spots_px, labels, HEIGHT, [state.is_best for state in shown])
    points = []
    for state, (left, top), at, label, place in zip(
        shown, spots, seconds, labels, places, strict=True
    ):
        ratio = state.ratio
        is_wide = ratio is not None and ratio.low is not None and ratio.high is not None
        points.append(
            Point(
                state=state,
                left=left,
                top=top,
                low=x.place(reference / ratio.high) if is_wide else None,  # type: ignore[union-attr,operator]
                high=x.place(reference / ratio.low) if is_wide else None,  # type: ignore[union-attr,operator]
                label=label,
                place=place,
                title=(
                    f"{variant_name(state.name)}, {backend_name(state.backend)}:"
                    f" {units.seconds(at)}, {quality.name} {metric_text(quality, state.metric)}"
                ),
            )
        )
    best = [p for p in points if p.state.is_best]
    return StatesPlot(
        points=tuple(points),
        front=_steps(best),
        x_ticks=tuple((x.place(t), units.seconds(t)) for t in x.ticks(4)),
        y_ticks=tuple(
            (y.place(t) if is_down else 100 - y.place(t), metric_text(quality, t))
            for t in y.ticks(5)
        ),
        summary="; ".join(point.title for point in points),
    )


def _reference(life: Life) -> float | None:
    """Return seconds of the trained model in eager PyTorch, or of the model as built if only that was timed."""
    for name in (TRAINED, ORIGINAL):
        for state in life.states:
            if (state.name, state.backend) == (name, REFERENCE) and state.latency:
                return state.latency.p50
    return None


def _label(state: State) -> str:
    own = "" if state.backend == REFERENCE else backend_short(state.backend)
    is_native = state.name not in (ORIGINAL, TRAINED, PRUNED) or not own
    return variant_name(state.name) + ("" if is_native else f" · {own}")


def _steps(best: Sequence[Point]) -> tuple[tuple[float, float, float, float], ...]:
    """Return the front as a staircase: every point of it extends up to the next faster one."""
    line = sorted(best, key=lambda point: (point.left, point.top))
    found = []
    for a, b in pairwise(line):
        found.append((a.left, a.top, b.left, a.top))
        found.append((b.left, a.top, b.left, b.top))
    return tuple(found)
