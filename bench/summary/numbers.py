"""Numbers that may be missing or not finite: a report shows a figure or nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence


def finite(value: float | None) -> float | None:
    """Return the number, or None for NaN and infinities."""
    return value if value is not None and math.isfinite(value) else None


def durations(samples: Sequence[float]) -> Sequence[float]:
    """Return the samples if all are finite and positive, else none: the median of a subset would be biased."""
    return samples if all(math.isfinite(s) and s > 0 for s in samples) else ()


def by_count(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the counts, the largest first, equal ones by name."""
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
