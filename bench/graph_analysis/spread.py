"""Distribution of numbers: histogram, moments, zeros; small enough to store for every layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

BINS: Final = 40
"""Number of bins of equal width from the smallest to the largest value; small histograms have no room for more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The distribution of the elements of one tensor."""

    num: int
    """Number of elements, including NaN and infinities."""
    num_zero: int
    num_other: int
    """Number of NaN or infinite elements; the statistics below exclude them."""
    low: float
    high: float
    """Smallest and largest finite element: ends of the first and the last bin."""
    mean: float
    std: float
    """Population standard deviation."""
    counts: tuple[int, ...]

    @property
    def sparsity(self) -> float:
        """Share of elements that are exactly zero, 0 to 1."""
        return self.num_zero / self.num if self.num else 0.0


def spread_of(array: Any) -> Spread | None:
    """Return the spread of a numpy array of any shape and numeric type; None if it has no finite element."""
    import numpy as np

    from bench.onnx_graph.distribution import counts_of  # a report reads spreads and makes none

    flat = array.reshape(-1)
    numbers = flat if flat.dtype in (np.float32, np.float64) else flat.astype(np.float32)
    is_finite = np.isfinite(numbers)
    finite = numbers if is_finite.all() else numbers[is_finite]
    if finite.size == 0:
        return None
    low, high = float(finite.min()), float(finite.max())
    return Spread(
        num=int(numbers.size),
        num_zero=int(finite.size - np.count_nonzero(finite)),
        num_other=int(numbers.size - finite.size),
        low=low,
        high=high,
        mean=float(finite.mean(dtype=np.float64)),
        std=float(finite.std(dtype=np.float64)),
        counts=counts_of(finite, low, high, BINS),
    )
