"""Worker side. Sentinel: a small fixed workload whose duration shows the current speed of this machine.

A virtual machine does not see a busy neighbour (no steal time, no run-queue delay), but the same work
takes longer. The matrices fit the first-level cache, and are so small that numpy's BLAS stays in the
calling thread: it does not wake a second thread pool.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from bench.instruments.stopwatch import CLOCK, NS, Clock
from bench.stats import NORMAL_MAD, mad, median

SIDE: Final = 32
"""Rows and columns; 32^3 multiply-accumulates are well below OpenBLAS's threshold for threads (64^3)."""
PRODUCTS: Final = 16
REPEATS: Final = 3
"""The fastest of these counts: an interrupt affects one of them, a slow machine all."""
LIMIT: Final = 3.0
"""Robust standard deviations from the median beyond which a reading is off."""
FLOOR: Final = 0.02
"""Deviations below this share of the median are never off, however small the spread."""


def sentinel(clock: Clock = CLOCK) -> Callable[[], float]:
    """Return a function that runs the workload and returns its seconds (tens of microseconds)."""
    import numpy as np

    matrix = np.random.default_rng(0).random((SIDE, SIDE), dtype=np.float32) / SIDE
    out = np.empty_like(matrix)

    def read() -> float:
        best = 0
        for attempt in range(REPEATS):
            started = clock()
            for _ in range(PRODUCTS):
                np.matmul(matrix, matrix, out=out)
            taken = clock() - started
            best = taken if attempt == 0 else min(best, taken)
        return best * NS

    return read


def is_off(readings: Sequence[float]) -> list[bool]:
    """Return for each reading True if it differs from their median by more than 3 MAD (scaled to a
    standard deviation).

    The rule uses the readings only: neither the durations of rounds nor the version that they belong to.
    """
    if not readings:
        return []
    middle = median(readings)
    limit = max(LIMIT * NORMAL_MAD * mad(readings), FLOOR * middle)
    return [abs(reading - middle) > limit for reading in readings]
