"""Worker side. Signal-to-noise ratio of quantized outputs against the float ones, in decibels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def signal_to_noise(
    reference: Sequence[NDArray[Any]], actual: Sequence[NDArray[Any]]
) -> list[float | None]:
    """Return the decibels of each output, in order; None where there is no ratio: integers, empty outputs, or another
    shape (the number of detections).

    Raises ValueError when the numbers of outputs differ.
    """
    if len(reference) != len(actual):
        raise ValueError(f"expected {len(reference)} outputs to compare; got {len(actual)}")
    return [
        decibels(a, b) if a.shape == b.shape and a.size and a.dtype.kind == "f" else None
        for a, b in zip(reference, actual, strict=True)
    ]


def decibels(reference: NDArray[Any], actual: NDArray[Any]) -> float:
    """Return 10 log10(sum reference^2 / sum (reference - actual)^2).

    inf if they are equal, -inf for noise on a reference of zeros, nan if a value is not finite. 20 dB: the noise is a
    tenth of the signal.
    """
    signal = reference.astype(np.float64)
    noise = signal - actual.astype(np.float64)
    scale = max(float(np.abs(signal).max()), float(np.abs(noise).max()))
    if not math.isfinite(scale):
        return math.nan
    if not noise.any():
        return math.inf
    # Divided first: squares of values near the limits of float32 could overflow or underflow float64.
    power = float(np.square(signal / scale).sum())
    if power == 0.0:
        return -math.inf
    return 10.0 * math.log10(power / float(np.square(noise / scale).sum()))
