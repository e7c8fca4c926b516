"""Drawing of a roofline: FLOP/s over FLOP per byte, both logarithmic; positions in percent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.charts.axis import Axis, Tick, axis_of
from bench.charts.scatter import LabelPlace, places_for
from bench.output.names import backend_name
from bench.summary.roofline_records import Peaks, Roofline, RoofPoint
from suite import units

HEIGHT: Final = 300.0
"""Height of the drawing in pixels, for placing names."""
NAMED: Final = 16
"""Maximum number of points with a name; the table has all."""
LIMITS: Final = {
    "compute": "the rate of matrix products",
    "memory": "moving memory",
    "cache": "a cache: faster than main memory allows",
    "above": "more than the products measured here: eight-bit arithmetic, fewer multiplications than are counted"
    " (Winograd), or peaks that were measured on a busy machine",
    "overhead": "neither: dispatch, small operators, threads that wait",
}
"""Limit -> its description."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoofMark:
    """One cell in the drawing."""

    point: RoofPoint
    left: float
    top: float
    title: str
    label: str
    """The model's name; empty where there are too many to stand apart."""
    place: LabelPlace


@dataclass(frozen=True, slots=True, kw_only=True)
class Roof:
    """Roof of one dtype: a slope and a flat part."""

    dtype: str
    line: tuple[tuple[float, float], ...]
    """(percent from the left, percent from the top)."""
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoofPlot:
    """Drawing of one device."""

    peaks: Peaks
    roofs: tuple[Roof, ...]
    marks: tuple[RoofMark, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    summary: str


def roof_plots(roofline: Roofline | None, labels: dict[str, str]) -> tuple[RoofPlot, ...]:
    """Return a drawing per device that has points; `labels`: row id -> its name."""
    if roofline is None:
        return ()
    found = []
    for peaks in roofline.peaks:
        points = [p for p in roofline.points if _device(p, peaks, labels)]
        if points:
            found.append(_plot(peaks, points, labels))
    return tuple(found)


def _device(point: RoofPoint, peaks: Peaks, labels: dict[str, str]) -> bool:
    return point.row in labels and f"-{peaks.device}-" in point.row


def _plot(peaks: Peaks, points: list[RoofPoint], labels: dict[str, str]) -> RoofPlot:
    best = max(peaks.matmul.values())
    knees = [rate / peaks.bandwidth for rate in peaks.matmul.values()]
    x = axis_of([*(p.intensity for p in points), *knees], is_log=True)
    assert x is not None, "points have intensities above zero"
    lowest = min(min(p.flops for p in points), best)
    y = axis_of([*(p.flops for p in points), best, lowest], is_log=True)
    assert y is not None, "points have rates above zero"
    spots = [(x.place(p.intensity), 100 - y.place(p.flops)) for p in points]
    names = [labels[p.row] for p in points]
    places = places_for([(left, HEIGHT * top / 100) for left, top in spots], names, HEIGHT)
    shown = _named(points)
    marks = tuple(
        RoofMark(
            point=point,
            left=left,
            top=top,
            label=name if point in shown else "",
            place=place,
            title=(
                f"{labels[point.row]}, {backend_name(point.backend)}:"
                f" {units.scaled_count(point.flops, 'FLOP/s')}, {units.percent(point.share)} of the roof"
                + (f"; above it: {LIMITS[point.limit]}" if point.share > 1 else "")
            ),
        )
        for point, (left, top), name, place in zip(points, spots, names, places, strict=True)
    )
    return RoofPlot(
        peaks=peaks,
        roofs=tuple(_roof(d, rate, peaks, x, y) for d, rate in peaks.matmul.items()),
        marks=marks,
        x_ticks=tuple((x.place(t), units.significant(t)) for t in x.ticks(6)),
        y_ticks=tuple((100 - y.place(t), units.scaled_count(t, "FLOP/s")) for t in y.ticks(6)),
        summary="; ".join(mark.title for mark in marks[:20]),
    )


def _named(points: Sequence[RoofPoint]) -> list[RoofPoint]:
    """Return the points that have room for a name: all of a few, of many those nearest to the roof."""
    best: dict[str, RoofPoint] = {}
    for point in points:
        if point.row not in best or point.share > best[point.row].share:
            best[point.row] = point
    return sorted(best.values(), key=lambda point: -point.share)[:NAMED]


def _roof(dtype: str, rate: float, peaks: Peaks, x: Axis, y: Axis) -> Roof:
    knee = rate / peaks.bandwidth
    # The slope begins where it enters the drawing: on its left or its bottom edge.
    start = max(x.low, y.low / peaks.bandwidth)
    line = [(x.place(x.high), 100 - y.place(rate))]
    if knee > start:
        line = [
            (x.place(start), 100 - y.place(start * peaks.bandwidth)),
            (x.place(knee), 100 - y.place(rate)),
            *line,
        ]
    else:
        line.insert(0, (x.place(x.low), 100 - y.place(rate)))
    return Roof(
        dtype=dtype, line=tuple(line), label=f"{dtype} {units.scaled_count(rate, 'FLOP/s')}"
    )
