"""Drawings of spreads: a histogram as the outline of a hill, all states of one layer on one axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bench.graph_analysis.spread import Spread

WIDTH: Final = 120
HEIGHT: Final = 28
"""The box of one hill."""
LEAST: Final = 1
"""Height of what is not zero, so that a tail does not vanish."""


def axis_of_spreads(spreads: Sequence[Spread]) -> tuple[float, float]:
    """(low, high) that holds all of them; never empty. Raises ValueError for none."""
    low, high = min(s.low for s in spreads), max(s.high for s in spreads)
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def hill(spread: Spread, low: float, high: float) -> str:
    """An SVG path in a box of WIDTH x HEIGHT over the axis from `low` to `high`; every bin as high as it is dense."""
    if not spread.counts or max(spread.counts) <= 0:
        return ""
    scale = WIDTH / (high - low)
    end = spread.high if spread.high > spread.low else spread.low + (high - low) / 40
    left = (spread.low - low) * scale
    step = (end - spread.low) * scale / len(spread.counts)
    largest = max(spread.counts)
    parts, x, y = [f"M{left:.1f} {HEIGHT}"], left, 0
    place = left
    for count in spread.counts:
        height = max(LEAST, round(count / largest * (HEIGHT - 1))) if count else 0
        if height != y:
            parts.append(f"H{x:.1f}" if x != left or y else "")
            parts.append(f"v{y - height}")
            y = height
        place += step
        x = place
    parts.append(f"H{x:.1f}V{HEIGHT}z")
    return "".join(parts)


def zero_mark(low: float, high: float) -> float | None:
    """Where zero is on the axis, in the box's units; None when it is not on it."""
    return (0.0 - low) / (high - low) * WIDTH if low < 0 < high else None
