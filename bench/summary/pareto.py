"""Pareto frontier of points in two dimensions."""

from __future__ import annotations

from collections.abc import Sequence


def pareto_frontier(points: Sequence[tuple[float, float]]) -> tuple[bool, ...]:
    """Return for each (x, y), larger being better: whether no other point is as good in both and better in one.

    Equal points are on the front together.
    """
    return tuple(
        not any(
            other[0] >= point[0] and other[1] >= point[1] and other != point for other in points
        )
        for point in points
    )
