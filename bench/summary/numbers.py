"""Numbers that may be missing or not finite: a report shows a figure or nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

OTHER_PROCESS: Final = 1.05
"""Factor by which two fresh processes that run the same code one after the other differ on shared machines (4 to 10%),
which no interval from within one process has."""


class Interval(Protocol):
    """Anything with an interval."""

    @property
    def low(self) -> float | None:
        """Return its lower end, or None without an interval."""
        ...

    @property
    def high(self) -> float | None:
        """Return its upper end, or None without an interval."""
        ...


def ratio_ends(reference: Interval, own: Interval) -> tuple[float | None, float | None]:
    """Return the interval of reference / own, measured one after the other: the worst case of both, and the difference
    between two processes; (None, None) if either has none.
    """
    if not (reference.low and reference.high and own.low and own.high):
        return None, None
    return reference.low / own.high / OTHER_PROCESS, reference.high / own.low * OTHER_PROCESS


def finite(value: float | None) -> float | None:
    """Return the number, or None for NaN and infinities."""
    return value if value is not None and math.isfinite(value) else None


def durations(samples: Sequence[float]) -> Sequence[float]:
    """Return the samples if all are finite and positive, else none: the median of a subset would be biased."""
    return samples if all(math.isfinite(s) and s > 0 for s in samples) else ()


def by_count(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the counts, the largest first, equal ones by name."""
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
