"""Changes of a task's quality metric: what better means, and in which unit it is told."""

from __future__ import annotations

import math

from suite.axes import TASKS, Task


def gain(task: str, before: float, after: float) -> float:
    """How much better `after` is than `before`; negative when it is worse.

    Points of the metric, or percent of `before` for the tasks whose metric is relative (perplexity). A value that is
    not finite is infinitely bad.
    """
    row = TASKS[task]
    if not math.isfinite(after):
        return -math.inf
    if not math.isfinite(before):
        return math.inf
    better = after - before if row.metric_direction == "higher" else before - after
    if not row.is_relative:
        return better
    return 100 * better / abs(before) if before else math.copysign(math.inf, better or 1.0)


def drop(task: str, before: float, after: float) -> float:
    """How much worse `after` is than `before`; negative when it is better."""
    return -gain(task, before, after)


def worst(task: str) -> float:
    """A value that every model beats."""
    return -math.inf if TASKS[task].metric_direction == "higher" else math.inf


def change_unit(task: str) -> str:
    """The unit of `gain`: points or %."""
    return "%" if TASKS[task].is_relative else "points"


def shown(task: str, value: float) -> str:
    """The metric with its name and unit, e.g. `accuracy 92.3%`."""
    row = TASKS[task]
    return f"{row.metric} {value_text(row, value)}"


def value_text(row: Task, value: float) -> str:
    """The value in the metric's unit, rounded for reading."""
    if row.metric_unit == "%":
        return f"{value:.1f}%"
    return f"{value:.4g}"
