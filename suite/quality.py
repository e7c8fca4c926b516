"""Changes of a task's quality metric: their direction and unit."""

from __future__ import annotations

import math

from suite.axes import Task, task_row


def gain(task: str, before: float, after: float) -> float:
    """Return how much better `after` is than `before`; negative if it is worse.

    Points of the metric, or percent of `before` for tasks with a relative metric (perplexity). A non-finite value is
    infinitely bad.
    """
    row = _row(task)
    if not math.isfinite(after):
        return -math.inf
    if not math.isfinite(before):
        return math.inf
    better = after - before if row.metric_direction == "higher" else before - after
    if not row.is_relative:
        return better
    return 100 * better / abs(before) if before else math.copysign(math.inf, better or 1.0)


def drop(task: str, before: float, after: float) -> float:
    """Return how much worse `after` is than `before`; negative if it is better."""
    return -gain(task, before, after)


def worst(task: str) -> float:
    """Return a value worse than any model's."""
    return -math.inf if _row(task).metric_direction == "higher" else math.inf


def change_unit(task: str) -> str:
    """Return the unit of `gain`: points or %."""
    return "%" if _row(task).is_relative else "points"


def shown(task: str, value: float) -> str:
    """Return the metric with its name and unit, e.g. `accuracy 92.3%`."""
    row = _row(task)
    return f"{row.metric} {value_text(row, value)}"


def value_text(row: Task, value: float) -> str:
    """Return the value in the metric's unit, rounded for display."""
    if row.metric_unit == "%":
        return f"{value:.1f}%"
    unit = "" if row.metric_unit == "1" else f" {row.metric_unit}"
    return f"{value:.4g}{unit}"


def _row(task: str) -> Task:
    row = task_row(task)
    assert row is not None, f"task {task!r} is unknown"
    return row
