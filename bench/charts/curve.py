"""Curve of losses by optimizer step; positions in percent, paths in a box of 1000 x 1000 that is stretched."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.charts.axis import Axis, Tick, axis_of
from bench.summary.lifecycle_records import Curve, Training
from suite import units

SMOOTHED: Final = 15
"""Divisor for the smoothing width: one in 15 of the points."""
STEEP: Final = 50.0
"""Ratio of the largest to the smallest loss from which the axis is logarithmic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePlot:
    """Losses by step, in a stretched box of 1000 x 1000."""

    raw: str
    """An SVG path."""
    smooth: str
    """An SVG path; empty if there is nothing to smooth."""
    validation: tuple[tuple[float, float, str], ...]
    """(percent from the left, percent from the top, text)."""
    validation_path: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    """Percent from the top."""
    summary: str
    is_log: bool


def curve_plot(curve: Curve | None, training: Training | None = None) -> CurvePlot | None:
    """Return the drawing of a curve, with the losses on the validation split if it is that of the training."""
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


def _path(steps: Sequence[float], losses: Sequence[float], x: Axis, y: Axis) -> str:
    """Return an SVG path through the finite losses, interrupted at the others."""
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
    """Return the mean of up to `width` neighbours on either side; NaN if none is finite."""
    found = []
    for place in range(len(losses)):
        window = losses[max(0, place - width) : place + width + 1]
        finite = [loss for loss in window if math.isfinite(loss)]
        found.append(sum(finite) / len(finite) if finite else math.nan)
    return found
