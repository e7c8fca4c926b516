"""Drawings of a life: the curve of its losses, and its states by latency and quality; positions in percent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from bench.charts.label_places import LabelPlace, places_for
from bench.charts.ticks import Axis, axis_of
from bench.summary.lifecycle_records import Curve, Life, State, Training
from bench.summary.quality_text import metric_text
from bench.summary.wording import REFERENCE, backend_name, variant_name
from suite import units

Tick = tuple[float, str]
"""(percent, text)."""

SMOOTHED: Final = 15
"""A curve is smoothed over this share of its points: one in 15."""
STEEP: Final = 50.0
"""Largest loss over the smallest from which the axis is logarithmic."""
HEIGHT: Final = 260.0
"""Pixels of the drawing of states, for placing labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePlot:
    """Losses by step, on a box of 1000 x 1000 that is stretched."""

    raw: str
    """An SVG path."""
    smooth: str
    """An SVG path; empty where there is nothing to smooth."""
    validation: tuple[tuple[float, float, str], ...]
    """(percent from the left, percent from the top, text)."""
    validation_path: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    """Percent from the top."""
    summary: str
    is_log: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One state in the drawing of states."""

    state: State
    left: float
    top: float
    low: float | None
    """Ends of the interval of its speed, in percent from the left."""
    high: float | None
    label: str
    place: LabelPlace
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatesPlot:
    """States by latency (to the left is faster) and quality (to the top is better)."""

    points: tuple[Point, ...]
    front: tuple[tuple[float, float, float, float], ...]
    """Lines (x1, y1, x2, y2) that join the front."""
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    summary: str


def curve_plot(curve: Curve | None, training: Training | None = None) -> CurvePlot | None:
    """The drawing of a curve, with the losses on the validation split where it is that of the training."""
    if curve is None:
        return None
    validation = training.validation if training else ()
    losses = [loss for loss in curve.losses if math.isfinite(loss)]
    values = losses + [loss for _, loss in validation if math.isfinite(loss)]
    if not values:
        return None
    is_log = min(values) > 0 and max(values) / min(values) > STEEP
    y = axis_of(values, is_log=is_log)
    last = max([float(curve.num_steps), *(step for step, _ in validation)])
    x = Axis(low=0.0, high=max(last, 1.0))
    assert y is not None, "values is not empty"
    width = max(1, len(curve.losses) // SMOOTHED)
    dots = tuple(
        (x.place(step), 100 - y.place(loss), f"step {step:g}: {units.significant(loss)}")
        for step, loss in validation
        if math.isfinite(loss)
    )
    summary = f"training loss over {curve.num_steps} steps"
    if losses:
        summary += f", {units.significant(losses[0])} to {units.significant(losses[-1])}"
    return CurvePlot(
        raw=_path(curve.steps, curve.losses, x, y),
        smooth=_path(curve.steps, _smoothed(curve.losses, width), x, y) if width > 1 else "",
        validation=dots,
        validation_path="".join(
            f"{'L' if i else 'M'}{10 * left:.0f} {10 * top:.0f}"
            for i, (left, top, _) in enumerate(dots)
        ),
        x_ticks=tuple((x.place(t), f"{t:,.0f}") for t in x.ticks() if float(t).is_integer()),
        y_ticks=tuple((100 - y.place(t), units.significant(t)) for t in y.ticks(4)),
        summary=summary,
        is_log=is_log,
    )


def states_plot(life: Life) -> StatesPlot | None:
    """The drawing of a life's states; None for fewer than two that have both speed and quality."""
    quality, reference = life.quality, _reference(life)
    shown = [
        s
        for s in life.states
        if s.ratio is not None and s.metric is not None and math.isfinite(s.metric)
    ]
    if quality is None or reference is None or len(shown) < 2:
        return None
    seconds = [reference / s.ratio.value for s in shown if s.ratio]
    x = axis_of(seconds, is_log=True)
    y = axis_of([s.metric for s in shown if s.metric is not None], room=0.14)
    if x is None or y is None:
        return None
    is_down = quality.direction == "lower"
    spots = []
    for state, at in zip(shown, seconds, strict=True):
        height = y.place(state.metric or 0.0)
        spots.append((x.place(at), height if is_down else 100 - height))
    labels = [_label(state) for state in shown]
    spots_px = [(left, HEIGHT * top / 100) for left, top in spots]
    places = places_for(spots_px, labels, HEIGHT, [state.is_best for state in shown])
    points = []
    for state, (left, top), at, label, place in zip(
        shown, spots, seconds, labels, places, strict=True
    ):
        ratio = state.ratio
        is_wide = ratio is not None and ratio.low is not None and ratio.high is not None
        points.append(
            Point(
                state=state,
                left=left,
                top=top,
                low=x.place(reference / ratio.high) if is_wide else None,  # type: ignore[union-attr,operator]
                high=x.place(reference / ratio.low) if is_wide else None,  # type: ignore[union-attr,operator]
                label=label,
                place=place,
                title=(
                    f"{variant_name(state.name)}, {backend_name(state.backend)}:"
                    f" {units.seconds(at)}, {quality.name} {metric_text(quality, state.metric)}"
                ),
            )
        )
    best = [p for p in points if p.state.is_best]
    return StatesPlot(
        points=tuple(points),
        front=_steps(best),
        x_ticks=tuple((x.place(t), units.seconds(t)) for t in x.ticks(4)),
        y_ticks=tuple(
            (y.place(t) if is_down else 100 - y.place(t), metric_text(quality, t))
            for t in y.ticks(5)
        ),
        summary="; ".join(point.title for point in points),
    )


def _reference(life: Life) -> float | None:
    """Seconds of the trained model in eager PyTorch; of the model as built where that alone was timed."""
    for name in ("trained", "original"):
        for state in life.states:
            if (state.name, state.backend) == (name, REFERENCE) and state.latency:
                return state.latency.p50
    return None


def _label(state: State) -> str:
    own = {"onnxruntime": "ORT", "compiled": "compiled"}.get(state.backend, "")
    is_native = state.name not in ("original", "trained", "pruned") or not own
    return variant_name(state.name) + ("" if is_native else f" · {own}")


def _steps(best: Sequence[Point]) -> tuple[tuple[float, float, float, float], ...]:
    """The front as a staircase: every point of it reigns up to the next faster one."""
    line = sorted(best, key=lambda point: (point.left, point.top))
    found = []
    for a, b in pairwise(line):
        found.append((a.left, a.top, b.left, a.top))
        found.append((b.left, a.top, b.left, b.top))
    return tuple(found)


def _path(steps: Sequence[float], losses: Sequence[float], x: Axis, y: Axis) -> str:
    """An SVG path through the finite losses, broken where they are not."""
    parts, is_open = [], False
    for step, loss in zip(steps, losses, strict=True):
        if not math.isfinite(loss):
            is_open = False
            continue
        parts.append(
            f"{'L' if is_open else 'M'}{10 * x.place(step):.0f} {1000 - 10 * y.place(loss):.0f}"
        )
        is_open = True
    return "".join(parts)


def _smoothed(losses: Sequence[float], width: int) -> list[float]:
    """The mean of up to `width` neighbours to either side; NaN where none is finite."""
    found = []
    for place in range(len(losses)):
        window = losses[max(0, place - width) : place + width + 1]
        finite = [loss for loss in window if math.isfinite(loss)]
        found.append(sum(finite) / len(finite) if finite else math.nan)
    return found
