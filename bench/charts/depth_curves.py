"""Curves of generation over depth: tokens per second of every backend with their intervals; positions in percent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.charts.axis import Axis, Tick, axis_of
from bench.output.names import backend_name
from bench.stats import Estimate
from bench.summary.generation import GeneratedPoint
from bench.summary.model import Row
from suite import units

RATES: Final = {"decode_rate": "Decode", "prefill_rate": "Prefill"}
"""Field of a point -> the curve's title."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthPoint:
    """One depth of one curve."""

    left: float
    top: float
    ends: tuple[float, float] | None
    """The interval's ends from the top; None without one."""
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthCurve:
    """One backend at one prompt length."""

    backend: str
    points: tuple[DepthPoint, ...]

    @property
    def path(self) -> str:
        """An SVG path in a box of 1000 x 1000."""
        steps = (f"{10 * p.left:.0f} {10 * p.top:.0f}" for p in self.points)
        return "".join(f"{'L' if n else 'M'}{step}" for n, step in enumerate(steps))


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthPlot:
    """One rate of one row over depth."""

    row: str
    title: str
    curves: tuple[DepthCurve, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    """Percent from the top."""
    summary: str


def depth_plots(rows: Sequence[Row]) -> tuple[DepthPlot, ...]:
    """Return the curves of every row with two depths or more: decode first, then prefill of the shortest prompt."""
    plots = (_plot(row, rate) for row in rows for rate in RATES)
    return tuple(plot for plot in plots if plot is not None)


def _plot(row: Row, rate: str) -> DepthPlot | None:
    series: dict[str, list[tuple[int, Estimate]]] = {}
    for lane in row.lanes:
        for depth, found in _series(lane.generation.points if lane.generation else (), rate):
            series.setdefault(lane.backend, []).append((depth, found))
    series = {backend: points for backend, points in series.items() if len(points) > 1}
    if not series:
        return None
    values = [v for points in series.values() for _, e in points for v in (e.low, e.value, e.high)]
    depths = sorted({depth for points in series.values() for depth, _ in points})
    y = axis_of([0.0, *(value for value in values if value is not None)])
    assert y is not None, "values is not empty"
    x = Axis(low=float(depths[0]), high=float(depths[-1]))
    y = Axis(low=0.0, high=y.high)
    first = next(iter(series.values()))
    return DepthPlot(
        row=row.id,
        title=f"{RATES[rate]}, tokens/s over depth",
        curves=tuple(
            DepthCurve(
                backend=backend,
                points=tuple(_point(backend, depth, found, x, y) for depth, found in points),
            )
            for backend, points in series.items()
        ),
        x_ticks=tuple((x.place(depth), f"{depth:,}") for depth in depths),
        y_ticks=tuple((100 - y.place(t), units.significant(t)) for t in y.ticks(4)),
        summary=f"{units.significant(first[0][1].value)} tokens/s at depth {first[0][0]},"
        f" {units.significant(first[-1][1].value)} at {first[-1][0]}",
    )


def _series(points: Sequence[GeneratedPoint], rate: str) -> list[tuple[int, Estimate]]:
    """Return (depth, rate) of the shortest prompt in the backend's first mode."""
    shortest = min((point.prompt for point in points), default=0)
    found = ((p.depth, getattr(p, rate)) for p in points if p.prompt == shortest and not p.mode)
    return [(depth, estimate) for depth, estimate in found if estimate is not None]


def _point(backend: str, depth: int, found: Estimate, x: Axis, y: Axis) -> DepthPoint:
    ends = None
    if found.low is not None and found.high is not None:
        ends = (100 - y.place(found.high), 100 - y.place(found.low))
    width = found.relative_half_width
    interval = (
        f" ±{units.percent(width)}" if width is not None else ", too few samples for an interval"
    )
    return DepthPoint(
        left=x.place(depth),
        top=100 - y.place(found.value),
        ends=ends,
        title=f"{backend_name(backend)} at depth {depth}: {units.significant(found.value)} tokens/s{interval}",
    )
