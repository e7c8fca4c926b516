"""Distribution of the elements of stored tensors, short enough for one line of text."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.onnx_graph.weights import Weights
from suite.sparkline import draw_counts

BINS: Final = 24
BLOCK: Final = 1 << 16
"""Elements counted at once: as many as fit the second-level cache."""
LEAST: Final = 32
"""Minimum number of elements for a histogram."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Counts in bins of equal width."""

    low: float
    high: float
    """Ends of the first and the last bin: the smallest and the largest finite element."""
    counts: tuple[int, ...]
    num_other: int = 0
    """Number of NaN or infinite elements."""


def histograms_of(path: Path, *, bins: int = BINS) -> dict[str, Histogram]:
    """Return tensor -> histogram, for the numbers in an ONNX file with at least LEAST elements. Raises GraphError."""
    import numpy as np

    found = {}
    with Weights(path) as weights:
        for name in weights.names():
            array = weights.array(name)
            if array.size < LEAST or array.dtype.kind in "OSUVb":
                continue
            numbers = array.reshape(-1)
            if numbers.dtype != np.float64:
                numbers = numbers.astype(np.float32)
            finite = numbers[np.isfinite(numbers)]
            if finite.size == 0:
                continue
            low, high = float(finite.min()), float(finite.max())
            found[name] = Histogram(
                low=low,
                high=high,
                counts=counts_of(finite, low, high, bins),
                num_other=int(numbers.size - finite.size),
            )
    return found


def counts_of(finite: Any, low: float, high: float, bins: int) -> tuple[int, ...]:
    """Return the counts of a flat numpy array in `bins` bins of equal width from `low` to `high`, its minimum and
    maximum.

    Computed in double precision: single-precision numbers may be too close together to put bins between them. A number
    on the edge of two bins counts in either, as the division rounds: np.histogram looks at every number again for it,
    and takes four times as long.
    """
    import numpy as np

    total = np.zeros(bins + 1, dtype=np.int64)
    width = (high if high > low else low + 1) - low
    scale = bins / width if width > 0 and math.isfinite(width) else math.inf
    if not math.isfinite(scale):  # still too close together, or too far apart
        return (int(finite.size), *[0] * (bins - 1))
    for start in range(0, finite.size, BLOCK):
        part = finite[start : start + BLOCK].astype(np.float64)
        part -= low
        part *= scale
        total += np.bincount(part.astype(np.intp), minlength=bins + 1)
    total[bins - 1] += total[bins]  # the maximum
    return tuple(int(count) for count in total[:bins])


def histogram_text(histogram: Histogram) -> str:
    """Return a histogram as text, e.g. `-0.21 ▁▂▅█▇▃▁ 0.19`."""
    text = f"{histogram.low:.3g} {draw_counts(histogram.counts)} {histogram.high:.3g}"
    return f"{text}, {histogram.num_other:,} NaN or infinite" if histogram.num_other else text
