"""Trends as text: one-line sparklines, and charts with levels and change points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from bench.history.trend import Change, Trend
from bench.history.wording import mark_of
from bench.stats import median
from suite.sparkline import draw_levels

DOT: Final = "●"
LEVEL: Final = "─"
CHANGE: Final = "┊"
LEAST_RANGE: Final = 0.04
"""Smallest range of an axis, as a share of its centre."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart as lines of equal length."""

    rows: tuple[str, ...]
    """From top (highest value) to bottom (lowest value)."""
    marks: str
    """The line below the chart: one mark under the first column after each change."""
    low: float
    high: float


def resample(trend: Trend, width: int) -> tuple[list[float], dict[int, Change]]:
    """Return at most `width` values (medians of equal stretches), and column -> change of level."""
    numbers = trend.compared
    places = [i for i, number in enumerate(numbers) if number is not None]
    count = min(width, len(places))
    edges = [len(places) * i // count for i in range(count + 1)] if count else []
    stretches = [places[a:b] for a, b in pairwise(edges)]
    values = [median([n for i in s if (n := numbers[i]) is not None]) for s in stretches]
    marks = {}
    for change in trend.changes:
        column = next((c for c, s in enumerate(stretches) if s[-1] >= change.at), None)
        if column is not None:
            marks[column] = change
    return values, marks


def sparkline(values: Sequence[float]) -> str:
    """Return one block character per value."""
    if not values:
        return ""
    low, high = axis_range(values)
    return draw_levels(values, low, high)


def axis_range(values: Sequence[float]) -> tuple[float, float]:
    """Return the ends of an axis for the values; at least 4% wide, so that noise does not fill it."""
    low, high = min(values), max(values)
    middle = (low + high) / 2
    room = max(high - low, LEAST_RANGE * abs(middle)) or 1.0
    return middle - room / 2, middle + room / 2


def draw_chart(trend: Trend, width: int, height: int) -> Chart:
    """Draw the trend's points as dots, and the levels between changes as lines behind them."""
    values, marks = resample(trend, width)
    low, high = axis_range(values)
    grid = [[" "] * len(values) for _ in range(height)]

    def row(value: float) -> int:
        return height - 1 - round((height - 1) * (value - low) / (high - low))

    edges = [0, *sorted(marks), len(values)]
    for begin, end in pairwise(edges):
        if begin < end:
            level = row(median(values[begin:end]))
            grid[level][begin:end] = LEVEL * (end - begin)
    for column in marks:
        for line in grid:
            line[column] = CHANGE
    for column, value in enumerate(values):
        grid[row(value)][column] = DOT
    return Chart(
        rows=tuple("".join(line) for line in grid),
        marks="".join(mark_of(marks[c]) if c in marks else " " for c in range(len(values))),
        low=low,
        high=high,
    )
