"""Bars and strips of dots: shares of a width, bars that start at ratio 1, the samples of one cell."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.charts.axis import Axis
from bench.summary.elements import Timing


def share(value: float | None, whole: float) -> float:
    """Return percent of the whole, 0 for nothing, clipped to 0..100."""
    if value is None or not whole > 0 or not math.isfinite(value):
        return 0.0
    return _clamp(100 * value / whole)


@dataclass(frozen=True, slots=True)
class Diverging:
    """Bar that starts at ratio 1 and extends right if faster, left if slower, in percent."""

    left: float
    width: float
    whisker_left: float | None
    whisker_width: float


def diverging(ratio: float, low: float | None, high: float | None, axis: Axis) -> Diverging:
    """Return the position of a ratio's bar and its interval on the axis."""
    at, middle = axis.place(ratio), axis.place(1.0)
    ends = (axis.place(low), axis.place(high)) if low and high else None
    return Diverging(
        left=min(middle, at),
        width=abs(at - middle),
        whisker_left=ends[0] if ends else None,
        whisker_width=ends[1] - ends[0] if ends else 0.0,
    )


@dataclass(frozen=True, slots=True)
class Strip:
    """The samples of one cell, in order, on a box of 1000 x 100."""

    dots: str
    """SVG path of zero-length strokes: round caps make them dots that never stretch."""
    median: float
    """y of the median."""
    band: tuple[float, float] | None
    """(y of the top, height) of the interval."""
    low: float
    """Smallest and largest sample, in seconds."""
    high: float


def strip_of(timing: Timing, limit: int) -> Strip | None:
    """Return the drawing of at most `limit` samples, evenly selected; None for fewer than two, which show nothing."""
    samples = timing.samples[:: max(1, math.ceil(len(timing.samples) / limit))]
    if len(samples) < 2:
        return None
    low, high = min(samples), max(samples)
    height = 84 / ((high - low) or abs(high) or 1.0)
    bottom = 92 + height * low
    step = 980 / (len(samples) - 1)
    dots = "".join(
        [f"M{10 + step * i:.0f} {bottom - height * s:.0f}h0" for i, s in enumerate(samples)]
    )

    def y(value: float) -> float:
        return round(_clamp(bottom - height * value), 1)

    band = None
    if timing.low is not None and timing.high is not None:
        band = (y(timing.high), round(max(1.0, y(timing.low) - y(timing.high)), 1))
    return Strip(dots=dots, median=y(timing.p50), band=band, low=low, high=high)


def _clamp(percent: float) -> float:
    return min(100.0, max(0.0, percent))
