"""Trends in the terminal: charts for a few series, one line each for many."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.history.drawing import CHANGE, DOT, LEVEL, draw_chart, resample, sparkline
from bench.history.query import QueryResult
from bench.history.trend import Trend
from bench.history.wording import (
    change_of,
    common_of,
    compared_of,
    last_of,
    mark_of,
    metric_of,
    move_of,
    span_of,
    titles_of,
    value_of,
)
from bench.output.names import plural

MAX_CHARTS: Final = 8
"""Largest number of series that get a chart each."""
CHART_HEIGHT: Final = 7
SPARKLINE_WIDTH: Final = 32
"""Columns of a sparkline."""
MAX_CHART_WIDTH: Final = 120
MAX_CHANGES: Final = 6
"""Most changes that are listed per series; the newest ones."""
COLORS: Final = {"worse": "red", "better": "green", "changed": "yellow"}


def render_terminal(found: QueryResult, console: Console) -> None:
    """Print the trends, their newest values, and their changes."""
    console.print()
    console.print(Text(headline(found), style="bold"))
    parts = (common_of(found.trends), f"{found.store}, the newest {found.last} runs of each series")
    console.print(Text("; ".join(filter(None, parts)), style="dim"))
    if len(found.trends) <= MAX_CHARTS:
        for trend, title in zip(found.trends, titles_of(found.trends), strict=True):
            _print_chart(trend, title, console)
    else:
        _print_lines(found, console)
    if any(not trend.is_searched for trend in found.trends):
        console.print(Text("A series is searched for changes from 8 runs on.", style="dim"))


def headline(found: QueryResult) -> str:
    """Return how many series changed, and in which direction."""
    changed = [trend for trend in found.trends if trend.changes]
    series = f"{len(found.trends):,} series"
    if not changed:
        return f"{series}, no change of level found"
    counts = {
        verdict: sum(any(c.verdict == verdict for c in t.changes) for t in changed)
        for verdict in COLORS
    }
    parts = ", ".join(f"{number} {verdict}" for verdict, number in counts.items() if number)
    return f"{series}, {len(changed)} with a change of level: {parts}"


def _print_chart(trend: Trend, title: str, console: Console) -> None:
    console.print()
    head = Text(title, style="bold")
    head.append(f"  {metric_of(trend.series)} {last_of(trend)}", style="not bold")
    console.print(head)
    room = min(console.width, MAX_CHART_WIDTH) - 14
    chart = draw_chart(trend, max(room, 10), CHART_HEIGHT)
    for number, line in enumerate(chart.rows):
        label = {0: chart.high, CHART_HEIGHT - 1: chart.low}.get(number)
        text = Text(f"{compared_of(trend, label) if label is not None else '':>11} │ ", style="dim")
        for sign in line:
            text.append(sign, {DOT: "cyan", CHANGE: "yellow", LEVEL: "dim"}.get(sign, ""))
        console.print(text, no_wrap=True)
    if chart.marks.strip():
        console.print(Text(f"{'':>11}   {chart.marks}", style="yellow"), no_wrap=True)
    console.print(Text(f"{'':>11}   {span_of(trend)}", style="dim"))
    for change in trend.changes[-MAX_CHANGES:]:
        console.print(Text(f"  {change_of(trend, change)}", style=COLORS[change.verdict]))
    if len(trend.changes) > MAX_CHANGES:
        console.print(Text(f"  and {plural(len(trend.changes) - MAX_CHANGES, 'earlier change')}"))


def _print_lines(found: QueryResult, console: Console) -> None:
    metrics = {trend.series.metric for trend in found.trends}
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("series", no_wrap=True)
    if len(metrics) > 1:
        table.add_column("metric", no_wrap=True)
    table.add_column("trend", no_wrap=True)
    table.add_column("runs", justify="right")
    table.add_column("newest", justify="right", no_wrap=True)
    table.add_column("last change of level", ratio=1)
    for trend, title in zip(found.trends, titles_of(found.trends), strict=True):
        values, marks = resample(trend, SPARKLINE_WIDTH)
        line = Text(sparkline(values), style="cyan")
        for column, change in marks.items():
            line.stylize(f"bold {COLORS[change.verdict]}", column, column + 1)
        names = [title, metric_of(trend.series)][: 1 + (len(metrics) > 1)]
        newest = value_of(trend.series, trend.points[-1].value)
        table.add_row(*names, line, str(len(trend.points)), newest, _last_change(trend))
    console.print(table)


def _last_change(trend: Trend) -> Text:
    if not trend.changes:
        return Text("" if trend.is_searched else "too few runs", style="dim")
    change = trend.changes[-1]
    point = trend.points[change.at]
    return Text(
        f"{mark_of(change)} {move_of(trend, change)} {change.verdict} since {point.at:%Y-%m-%d}"
        f" ({point.commit[:10] or point.run})",
        style=COLORS[change.verdict],
    )
