"""Where marks lie in the HTML report's drawings: shares of a width, decades of a log axis, paths of an SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.summary.elements import Timing
from suite import units


@dataclass(frozen=True, slots=True)
class LogAxis:
    """A logarithmic axis over whole decades."""

    low: int
    """Exponent of its left end."""
    high: int

    @property
    def num_decades(self) -> int:
        """How many decades it spans, at least one."""
        return self.high - self.low

    @property
    def ticks(self) -> tuple[tuple[float, str], ...]:
        """(percent from the left, label) of every whole decade."""
        return tuple(
            (100 * (e - self.low) / self.num_decades, _decade(e))
            for e in range(self.low, self.high + 1)
        )

    def place(self, value: float) -> float:
        """Percent from the left, kept inside the axis."""
        if value <= 0:
            return 0.0
        return _clamp(100 * (math.log10(value) - self.low) / self.num_decades)


def log_axis(values: Sequence[float]) -> LogAxis:
    """The shortest axis of whole decades that holds the positive values; one second's decade for none."""
    positive = [value for value in values if value > 0 and math.isfinite(value)]
    if not positive:
        return LogAxis(-1, 0)
    low, high = math.floor(math.log10(min(positive))), math.ceil(math.log10(max(positive)))
    return LogAxis(low, max(high, low + 1))


def share(value: float | None, whole: float) -> float:
    """Percent of the whole, 0 for nothing, kept in 0..100."""
    if value is None or not whole > 0 or not math.isfinite(value):
        return 0.0
    return _clamp(100 * value / whole)


@dataclass(frozen=True, slots=True)
class RatioAxis:
    """A log2 axis of ratios, with 1 somewhere inside."""

    slower: float
    """Doublings to the left of 1."""
    faster: float
    """Doublings to the right of 1."""

    @property
    def middle(self) -> float:
        """Percent from the left at which the ratio is 1."""
        return 100 * self.slower / (self.slower + self.faster)

    def place(self, ratio: float) -> float:
        """Percent from the left, kept inside the axis."""
        if not ratio > 0:
            return self.middle
        return _clamp(100 * (math.log2(ratio) + self.slower) / (self.slower + self.faster))


def ratio_axis(ratios: Sequence[float]) -> RatioAxis:
    """The axis that holds the ratios, at least a half and at most three doublings to either side."""
    logs = [math.log2(ratio) for ratio in ratios if ratio > 0 and math.isfinite(ratio)]
    ends = (max((-value for value in logs), default=0.0), max(logs, default=0.0))
    slower, faster = (min(3.0, max(0.5, math.ceil(4 * end) / 4)) for end in ends)
    return RatioAxis(slower, faster)


@dataclass(frozen=True, slots=True)
class Diverging:
    """A bar that starts where the ratio is 1 and goes right when faster, left when slower: percents."""

    left: float
    width: float
    whisker_left: float | None
    whisker_width: float


def diverging(ratio: float, low: float | None, high: float | None, axis: RatioAxis) -> Diverging:
    """Where the bar of a ratio and its interval lie on the axis."""
    at = axis.place(ratio)
    ends = (axis.place(low), axis.place(high)) if low and high else None
    return Diverging(
        left=min(axis.middle, at),
        width=abs(at - axis.middle),
        whisker_left=ends[0] if ends else None,
        whisker_width=ends[1] - ends[0] if ends else 0.0,
    )


@dataclass(frozen=True, slots=True)
class Strip:
    """The samples of one cell, in order, on a box of 1000 x 100."""

    dots: str
    """An SVG path of zero-length strokes: round caps make them dots that never stretch."""
    median: float
    """y of the median."""
    band: tuple[float, float] | None
    """(y of the top, height) of the interval."""
    low: float
    """Smallest and largest sample, in seconds."""
    high: float


def strip_of(timing: Timing, limit: int) -> Strip | None:
    """The drawing of at most `limit` samples, evenly taken; None for fewer than two, which show nothing."""
    samples = timing.samples[:: max(1, math.ceil(len(timing.samples) / limit))]
    if len(samples) < 2:
        return None
    low, high = min(samples), max(samples)
    room = (high - low) or abs(high) or 1.0

    def y(value: float) -> float:
        return round(_clamp(92 - 84 * (value - low) / room), 1)

    step = 980 / (len(samples) - 1)
    dots = "".join(f"M{10 + step * i:.0f} {y(s):.0f}h0" for i, s in enumerate(samples))
    band = None
    if timing.low is not None and timing.high is not None:
        band = (y(timing.high), round(max(1.0, y(timing.low) - y(timing.high)), 1))
    return Strip(dots=dots, median=y(timing.p50), band=band, low=low, high=high)


def _clamp(percent: float) -> float:
    return min(100.0, max(0.0, percent))


def _decade(exponent: int) -> str:
    return units.seconds(10.0**exponent).replace(".00", "").replace(".0 ", " ")
