"""Worker side. Stopwatch: times a round of calls, and measures its own overhead."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import repeat
from typing import Any, Final, Protocol

from bench.stats import median

Clock = Callable[[], int]
"""Nanoseconds from a fixed point; `time.perf_counter_ns`, or a scripted one in tests."""

CLOCK: Final[Clock] = time.perf_counter_ns
NS: Final = 1e-9


class DeviceTimer(Protocol):
    """A second clock around the same round, e.g. CUDA events."""

    def begin(self) -> None:
        """Mark the start of a round."""

    def end(self) -> None:
        """Mark its end, before the device is synchronised."""

    def seconds(self) -> float:
        """Return the seconds between the two marks, once the device is idle."""
        ...


def time_round(
    call: Callable[[], Any],
    synchronize: Callable[[], None],
    iterations: int,
    *,
    clock: Clock = CLOCK,
    marks: DeviceTimer | None = None,
) -> float:
    """Return the seconds of `iterations` calls together, from an idle device to an idle device."""
    synchronize()
    if marks is not None:
        marks.begin()
    started = clock()
    for _ in repeat(None, iterations):
        call()
    if marks is not None:
        marks.end()
    synchronize()
    return (clock() - started) * NS


def overhead(
    synchronize: Callable[[], None],
    *,
    clock: Clock = CLOCK,
    marks: DeviceTimer | None = None,
    trials: int = 33,
) -> float:
    """Return the seconds that timing adds to a round: the median of rounds without calls."""
    return median(
        [time_round(_nothing, synchronize, 0, clock=clock, marks=marks) for _ in range(trials)]
    )


def _nothing() -> None:
    return None
