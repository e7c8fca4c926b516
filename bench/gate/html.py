"""The gate's result as one self-contained HTML file without requests or scripts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.gate import wording
from bench.gate.document import share
from bench.gate.outcome import Gate
from bench.gate.row import Row
from bench.output.page import style_of, templates_in

TEMPLATES: Final = Path(__file__).with_name("templates")
WIDTH: Final = 240
"""Width of a drawing's coordinate system; the browser stretches it to the column."""
MIN_REACH: Final = 0.10
"""Shortest reach of the axis to either side, as a share of base."""
MAX_REACH: Final = 0.50


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A row's effect and its bounds as x coordinates."""

    low: float
    high: float
    middle: float


def to_html(gate: Gate) -> str:
    """Return the HTML document; light or dark as the reader's system is."""
    environment = templates_in(TEMPLATES)
    style = style_of(TEMPLATES / "gate.css")
    rows = sorted(gate.rows, key=wording.urgency)
    reach = axis_reach(rows)
    return environment.get_template("gate.html.j2").render(
        gate=gate,
        code=int(gate.exit),
        rows=[(row, interval_on_axis(row, reach)) for row in rows],
        news=[row for row in rows if wording.urgency(row)[0] < 4],
        reach=reach,
        marks=[(to_x(limit, reach), name) for limit, name in threshold_marks(rows, reach)],
        width=WIDTH,
        has_work=any(row.work for row in rows),
        style=style,  # ours, not the gate's
        words=wording,
    )


def axis_reach(rows: list[Row]) -> float:
    """Return the reach of the axis (a share): the 0.9-quantile of all bounds, within MIN_REACH and MAX_REACH."""
    ends = sorted(
        abs(end)
        for row in rows
        if row.finding and row.is_timed
        for bound in (row.finding.low, row.finding.high)
        if (end := share(bound)) is not None
    )
    wanted = ends[int(0.9 * (len(ends) - 1))] if ends else 0.0
    return min(max(1.1 * wanted, MIN_REACH), MAX_REACH)


def interval_on_axis(row: Row, reach: float) -> Interval | None:
    """Return the row's interval in x coordinates; None if it has none."""
    found = row.finding
    if found is None or not row.is_timed:
        return None
    values = [share(v if v is not None else found.estimate) for v in (found.low, found.high)]
    middle = share(found.estimate)
    if middle is None or None in values:
        return None
    low, high = (float(v) for v in values if v is not None)
    return Interval(
        low=to_x(low, reach),
        high=to_x(high, reach),
        middle=to_x(middle, reach),
    )


def threshold_marks(rows: list[Row], reach: float) -> list[tuple[float, str]]:
    """Return (share, label) of the minimum effect and the clear margin of the first row, if the axis reaches them."""
    if not rows:
        return []
    shares = rows[0].limits.shares
    marks = [(shares["latency"], "threshold"), (shares["latency_clear"], "clear margin")]
    return [(value, name) for value, name in marks if value < reach]


def to_x(value: float, reach: float) -> float:
    """Convert a share to an x coordinate, 0 to WIDTH."""
    return round(WIDTH * (min(max(value, -reach), reach) + reach) / (2 * reach), 1)
