"""Ticks of an axis: round numbers, linear or logarithmic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """An axis from `low` to `high`, both inside it."""

    low: float
    high: float
    is_log: bool = False

    def place(self, value: float) -> float:
        """Percent of the way from low to high, kept inside."""
        low, high, at = (self._scaled(v) for v in (self.low, self.high, value))
        return min(100.0, max(0.0, 100 * (at - low) / (high - low)))

    def ticks(self, most: int = 5) -> tuple[float, ...]:
        """Round values inside the axis, `most` or a few less."""
        found = _log_ticks(self.low, self.high, most) if self.is_log else ()
        if len(found) >= 3:
            return found
        return tuple(
            t for t in _linear_ticks(self.low, self.high, most) if self.low <= t <= self.high
        )

    def _scaled(self, value: float) -> float:
        return math.log(max(value, 1e-300)) if self.is_log else value


def axis_of(values: Sequence[float], *, is_log: bool = False, room: float = 0.08) -> Axis | None:
    """The axis that holds the finite values (a logarithmic one: the positive ones) with some room at either end."""
    good = [v for v in values if math.isfinite(v) and (v > 0 or not is_log)]
    if not good:
        return None
    low, high = min(good), max(good)
    if is_log:
        stretch = max((high / low) ** room, 1.12)
        return Axis(low=low / stretch, high=high * stretch, is_log=True)
    margin = (high - low) * room or abs(high) * 0.1 or 1.0
    return Axis(low=low - margin, high=high + margin)


def _linear_ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    rough = (high - low) / most
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * m for m in (1, 2, 2.5, 5, 10) if unit * m >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(round(i * step, 12) for i in range(first, last + 1))


def _log_ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    """1, 2 and 5 of every decade; of many decades 1 and 3, or every 1, or some of them."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found: tuple[float, ...] = ()
    for mantissas in ((1, 2, 5), (1, 3), (1,)):
        found = tuple(m * 10.0**e for e in decades for m in mantissas if low <= m * 10.0**e <= high)
        if len(found) <= most + 1:
            return found
    return found[:: math.ceil(len(found) / most)]
