"""Worker side. Sentinel: a small fixed workload whose time tells how fast this machine is just now.

The guest sees nothing of a neighbour outside the virtual machine (no steal, no run-queue delay),
but the same work takes longer. The matrices fit the first-level cache, and are so small that
numpy's BLAS stays in the calling thread: no second thread pool is woken beside the one that is
measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from bench.instruments.stopwatch import CLOCK, NS, Clock
from bench.stats import NORMAL_MAD, mad, median

SIDE: Final = 32
"""Rows and columns; 32^3 multiply-accumulates lie well below OpenBLAS's threshold for threads
(64^3)."""
PRODUCTS: Final = 16
REPEATS: Final = 3
"""The fastest of these counts: one timer interrupt is no news, a slow machine slows all of them."""
LIMIT: Final = 3.0
"""Deviations, in robust standard deviations, from which a reading is off."""
FLOOR: Final = 0.02
"""Deviations below this share of the median are never off, however quiet the run was."""


def sentinel(clock: Clock = CLOCK) -> Callable[[], float]:
    """A function that runs the workload and returns its seconds (some tens of microseconds)."""
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
    """For each reading, True when it strays from their median by more than 3 MAD (scaled to a
    standard deviation).

    The rule sees the readings alone: not the times of the rounds, nor which version they belong
    to.
    """
    if not readings:
        return []
    middle = median(readings)
    limit = max(LIMIT * NORMAL_MAD * mad(readings), FLOOR * middle)
    return [abs(reading - middle) > limit for reading in readings]
