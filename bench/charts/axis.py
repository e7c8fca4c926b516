"""Axis: positions of values in percent, and round ticks; linear or logarithmic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

Tick = tuple[float, str]
"""(percent from the start of the axis, label)."""
MOST_DOUBLINGS: Final = 3.0
"""Doublings on either side of 1 on an axis of ratios; farther values are clipped to the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """An axis from `low` to `high`, both inside it; `low` is below `high`, and above 0 on a logarithmic one."""

    low: float
    high: float
    is_log: bool = False

    def place(self, value: float) -> float:
        """Return percent of the way from low to high, clipped to 0..100."""
        low, high, at = (self._scaled(v) for v in (self.low, self.high, value))
        return round(min(100.0, max(0.0, 100 * (at - low) / (high - low))), 9)

    def ticks(self, most: int = 5) -> tuple[float, ...]:
        """Return round values inside the axis: `most` of them or a few less."""
        found = _log_ticks(self.low, self.high, most) if self.is_log else ()
        if len(found) >= 3:
            return found
        return tuple(
            t for t in _linear_ticks(self.low, self.high, most) if self.low <= t <= self.high
        )

    @property
    def num_decades(self) -> int:
        """Whole decades from low to high, at least one."""
        return max(1, round(math.log10(self.high / self.low)))

    @property
    def decades(self) -> tuple[float, ...]:
        """Powers of ten on the axis."""
        first, last = round(math.log10(self.low)), round(math.log10(self.high))
        return tuple(10.0**exponent for exponent in range(first, last + 1))

    def _scaled(self, value: float) -> float:
        return math.log(max(value, 1e-300)) if self.is_log else value


def axis_of(values: Sequence[float], *, is_log: bool = False, room: float = 0.08) -> Axis | None:
    """Return the axis of the finite values (a logarithmic one: the positive ones) with some room at either end."""
    good = [v for v in values if math.isfinite(v) and (v > 0 or not is_log)]
    if not good:
        return None
    low, high = min(good), max(good)
    if is_log:
        stretch = max((high / low) ** room, 1.12)
        return Axis(low=low / stretch, high=high * stretch, is_log=True)
    margin = (high - low) * room or abs(high) * 0.1 or 1.0
    return Axis(low=low - margin, high=high + margin)


def decade_axis(values: Sequence[float]) -> Axis:
    """Return the shortest axis of whole decades that holds the positive values; 0.1 to 1 without any."""
    good = [value for value in values if value > 0 and math.isfinite(value)] or [0.5]
    low, high = math.floor(math.log10(min(good))), math.ceil(math.log10(max(good)))
    return Axis(low=10.0**low, high=10.0 ** max(high, low + 1), is_log=True)


def ratio_axis(ratios: Sequence[float]) -> Axis:
    """Return the axis of ratios around 1: half a doubling to MOST_DOUBLINGS to either side."""
    logs = [math.log2(ratio) for ratio in ratios if ratio > 0 and math.isfinite(ratio)]
    ends = (max((-value for value in logs), default=0.0), max(logs, default=0.0))
    below, above = (min(MOST_DOUBLINGS, max(0.5, math.ceil(4 * end) / 4)) for end in ends)
    return Axis(low=2.0**-below, high=2.0**above, is_log=True)


def _linear_ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    rough = (high - low) / most
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * m for m in (1, 2, 2.5, 5, 10) if unit * m >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(round(i * step, 12) for i in range(first, last + 1))


def _log_ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    """Return 1, 2 and 5 of every decade; with many decades 1 and 3, or every 1, or some of them."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found: tuple[float, ...] = ()
    for mantissas in ((1, 2, 5), (1, 3), (1,)):
        found = tuple(m * 10.0**e for e in decades for m in mantissas if low <= m * 10.0**e <= high)
        if len(found) <= most + 1:
            return found
    return found[:: math.ceil(len(found) / most)]
