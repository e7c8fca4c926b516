"""Pareto frontier: the points that no other point beats in both of two directions."""

from __future__ import annotations

from collections.abc import Sequence


def pareto_frontier(points: Sequence[tuple[float, float]]) -> tuple[bool, ...]:
    """For each (x, y), more being better of both: whether no other point is as good in both and better in one.

    Points that are like_for_like are on the front together.
    """
    return tuple(
        not any(
            other[0] >= point[0] and other[1] >= point[1] and other != point for other in points
        )
        for point in points
    )
