"""Trends as one self-contained HTML file without requests or scripts: drawings of 1000 x 200, labels in percent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from bench.history import wording
from bench.history.drawing import axis_range
from bench.history.query import QueryResult
from bench.history.terminal import headline
from bench.history.trend import Change, Trend
from bench.history.wording import compared_of, moment, value_of
from bench.output.page import style_of, templates_in
from bench.stats import median
from diagnostics.atomic_write import write_whole

TEMPLATES: Final = Path(__file__).with_name("templates")
WIDTH: Final = 1000
HEIGHT: Final = 200
MARGIN: Final = 12
"""Distance between the box and the outermost marks."""
HUES: Final = 4
"""Number of colours for machines; a fifth machine reuses the first."""


def write_html(found: QueryResult, path: Path) -> None:
    """Write the page to `path` atomically. Raises OSError if it cannot be written."""
    write_whole(path, to_html(found))


def to_html(found: QueryResult) -> str:
    """Return the HTML document; light or dark as the reader's system is."""
    environment = templates_in(TEMPLATES)
    style = style_of(TEMPLATES / "history.css")
    machines = list(found.environments)
    return environment.get_template("history.html.j2").render(
        found=found,
        title=headline(found),
        rows=[
            (number, title, trend, layout_plot(trend, machines))
            for number, (title, trend) in enumerate(
                zip(wording.titles_of(found.trends), found.trends, strict=True)
            )
        ],
        style=style,  # ours, not the history's
        words=wording,
        width=WIDTH,
        height=HEIGHT,
        hues=HUES,
    )


@dataclass(frozen=True, slots=True)
class Dot:
    """One point."""

    x: float
    y: float
    hue: int
    text: str
    """Its tooltip."""


@dataclass(frozen=True, slots=True)
class Plot:
    """Geometry of one trend's drawing."""

    dots: tuple[Dot, ...]
    levels: str
    """SVG path of the levels between changes."""
    changes: tuple[tuple[float, Change], ...]
    """x of each change, halfway from the last point before it to the first after it."""
    ticks: tuple[tuple[float, str], ...]
    """(percent from the top, label)."""


def layout_plot(trend: Trend, machines: Sequence[str]) -> Plot:
    """Return the drawing of the trend, without points that lack the compared value.

    The index of a fingerprint in `machines` determines its colour.
    """
    numbers = trend.compared
    drawn = [(i, number) for i, number in enumerate(numbers) if number is not None]
    low, high = axis_range([number for _, number in drawn])
    step = (WIDTH - 2 * MARGIN) / max(1, len(numbers) - 1)

    def x(place: float) -> float:
        return round(MARGIN + step * place, 1) if len(numbers) > 1 else WIDTH / 2

    def y(number: float) -> float:
        return round(HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * (number - low) / (high - low), 1)

    edges = [0, *(change.at for change in trend.changes), len(numbers)]
    levels = []
    for begin, end in pairwise(edges):
        inside = [number for i, number in drawn if begin <= i < end]
        if inside:
            # Between its neighbours' lines, and inside the frame at either end.
            first, last = max(0.0, x(begin - 0.4)), min(float(WIDTH), x(end - 0.6))
            levels.append(f"M{first} {y(median(inside))}H{last}")
    return Plot(
        dots=tuple(
            Dot(
                x=x(i),
                y=y(number),
                hue=machines.index(trend.points[i].fingerprint) % HUES,
                text=_tooltip(trend, i),
            )
            for i, number in drawn
        ),
        levels="".join(levels) if len(drawn) > 1 else "",
        changes=tuple((x(change.at - 0.5), change) for change in trend.changes),
        ticks=tuple(
            (100 * y(value) / HEIGHT, compared_of(trend, value))
            for value in (high, (low + high) / 2, low)
        ),
    )


def _tooltip(trend: Trend, place: int) -> str:
    point = trend.points[place]
    parts = [moment(point.at), value_of(trend.series, point.value)]
    if trend.basis == "ratio" and point.ratio is not None:
        parts.append(f"drawn: {compared_of(trend, point.ratio)}")
    parts.append(f"run {point.run}")
    if point.commit:
        parts.append(f"commit {point.commit[:10]}")
    parts.append(f"machine {point.fingerprint}")
    return " · ".join(parts)
