"""Sparklines: numbers as one line of block characters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

BLOCKS: Final = "▁▂▃▄▅▆▇█"


def draw_counts(counts: Sequence[float]) -> str:
    """Return one bar per count, full for the largest; a count above zero never gets the lowest bar."""
    largest = max(counts, default=0)
    if largest <= 0:
        return BLOCKS[0] * len(counts)
    last = len(BLOCKS) - 1
    return "".join(BLOCKS[max(round(c / largest * last), 1) if c > 0 else 0] for c in counts)


def draw_levels(values: Sequence[float], low: float, high: float) -> str:
    """Return one bar per value on an axis from `low` to `high` (low < high), which enclose the values."""
    last = len(BLOCKS) - 1
    return "".join(BLOCKS[round(last * (value - low) / (high - low))] for value in values)
