"""Outline histograms; those of one layer's states share their axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bench.graph_analysis.spread import Spread

WIDTH: Final = 120
HEIGHT: Final = 28
"""Height of one histogram's box."""
MIN_BAR_HEIGHT_PX: Final = 1
"""Minimum height of a non-empty bin, so that a tail remains visible."""


def axis_of_spreads(spreads: Sequence[Spread]) -> tuple[float, float]:
    """Return (low, high) that holds all of them, never empty. Raises ValueError for no spreads."""
    low, high = min(s.low for s in spreads), max(s.high for s in spreads)
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def density_of(spread: Spread, low: float, high: float) -> float:
    """Return the largest share of the elements per axis width that a bin holds; 0 without counted elements."""
    total = sum(spread.counts)
    if total <= 0:
        return 0.0
    width = (_end(spread, low, high) - spread.low) / len(spread.counts)
    return max(spread.counts) / total * (high - low) / width


def hill(spread: Spread, low: float, high: float, densest: float | None = None) -> str:
    """Return an SVG path in a box of WIDTH x HEIGHT over the axis from `low` to `high`; height is density.

    `densest`: the density that fills the box (see `density_of`), the same for all compared histograms; None = this
    one's.
    """
    own = density_of(spread, low, high)
    if own <= 0:
        return ""
    most = HEIGHT - 1 if densest is None else (HEIGHT - 1) * min(1.0, own / densest)
    scale = WIDTH / (high - low)
    left = (spread.low - low) * scale
    step = (_end(spread, low, high) - spread.low) * scale / len(spread.counts)
    largest = max(spread.counts)
    parts, x, y = [f"M{left:.1f} {HEIGHT}"], left, 0
    place = left
    for count in spread.counts:
        height = max(MIN_BAR_HEIGHT_PX, round(count / largest * most)) if count else 0
        if height != y:
            parts.append(f"H{x:.1f}" if x != left or y else "")
            parts.append(f"v{y - height}")
            y = height
        place += step
        x = place
    parts.append(f"H{x:.1f}V{HEIGHT}z")
    return "".join(parts)


def _end(spread: Spread, low: float, high: float) -> float:
    """Return the end of the last bin; equal numbers get a visible bin."""
    return spread.high if spread.high > spread.low else spread.low + (high - low) / 40


def zero_mark(low: float, high: float) -> float | None:
    """Return the position of zero on the axis, in the box's units; None if it is outside."""
    return (0.0 - low) / (high - low) * WIDTH if low < 0 < high else None
