"""Worker side. Interleaved timing of two or more callables in one process.

The machine drifts (clock rates, neighbours, caches), so measurements taken one after the other are not comparable.
Short turns in the order A B B A spread the drift evenly over the callables, and it cancels in ratios of neighbours.

Thread pools spin for a while after their work, and those of another library then have a core less: eager ResNet-18 took
31 ms alone and 220 to 660 ms right after an ONNX Runtime session on two cores. So a turn ends when the process sleeps.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from math import ceil, comb
from pathlib import Path
from statistics import median
from typing import Any, Final

from suite.axes import is_accelerator
from suite.results.step_result import SpeedRatio

TURN: Final = 0.005
"""Minimum seconds of a turn: 1000 times the cost of reading the clock and starting a loop."""

GROWTH: Final = 10
"""Largest growth of a turn's calls from one trial to the next."""
SPARE: Final = 1.1
"""Factor above the minimum, so that calls that become a little faster still fill a turn."""
UNCLOCKED: Final = 1000
"""Calls of a turn if the clock does not see them."""

SETTLED: Final = 0.05
"""Use of a core, while this process sleeps, below which its thread pools are idle."""
SETTLE_STEP: Final = 0.002
SETTLE_MOST: Final = 0.06
"""Most seconds that a process waits for its thread pools before another arm works."""

LEAST: Final = 6
"""Minimum samples of each callable: from 6 on, the smallest and largest bound the median at 95 %."""

CONFIDENCE: Final = 0.95

Call = Callable[[], Any]


STARVED: Final = 0.2
"""Share of a turn that this process's threads may wait for a core; beyond it the turn says nothing about an idle
machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """What `alternate` measured."""

    samples: dict[str, list[float]]
    """Callable -> seconds per call, one per turn; the nth of all are neighbours."""
    is_starved: bool = False
    """Whether in more than half of the passes a thread had so little of a core that no ratio can be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """Comparison of two callables."""

    median: float
    """Median of the ratios of neighbouring samples."""
    low: float
    high: float
    """Bounds of the median at 95 % or more, for any distribution: binomial order statistics."""
    num_pairs: int


def waiter(device: str) -> Callable[[], None]:
    """Return a function that waits until the device is idle; on a CPU it does nothing, as calls are synchronous."""
    if not is_accelerator(device):
        return lambda: None
    import torch

    return partial(torch.cuda.synchronize, device)


def num_running_threads(tasks: Path = Path("/proc/self/task")) -> int | None:
    """Return how many other threads of this process use a core or want one; None if the system does not tell."""
    own, states = str(threading.get_native_id()), []
    try:
        for task in tasks.iterdir():
            if task.name != own:
                with suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended
                    states.append((task / "stat").read_bytes().rpartition(b") ")[2][:1])
    except OSError:
        return None
    return states.count(b"R")


def wait_for_idle_threads(
    clock: Callable[[], float] = time.process_time,
    num_running: Callable[[], int | None] = num_running_threads,
) -> float:
    """Wait until this process's thread pools sleep (OpenMP and ONNX Runtime spin for a while); returns the seconds.

    A process whose other threads are asleep, or that has none, does not wait: beside turns of 20 ms a nap of 2 ms is
    no small part.
    """
    waited = 0.0
    while waited < SETTLE_MOST and num_running() != 0:
        before = clock()
        time.sleep(SETTLE_STEP)
        waited += SETTLE_STEP
        if clock() - before < SETTLED * SETTLE_STEP:
            break
    return waited


def alternate(
    calls: Mapping[str, Call],
    *,
    seconds: float,
    synchronize: Call = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
    waited: Callable[[], float] | None = None,
) -> Turns:
    """Return seconds per call of each of `calls`, one sample per turn, equally many of each and 6 or more.

    After two warm-up calls each, a turn repeats its callable for 5 ms or calls it once, whichever is longer; repeated
    ones are called once untimed first, because the other callables have displaced the caches. Turns go through `calls`
    forwards, then backwards, and so on until `seconds` are over; the nth samples of all callables are neighbours, and
    the thread pools sleep between them. `synchronize` waits for the device and is part of every turn; `waited` reads
    the seconds that this process's threads have waited for a core. Raise ValueError if `calls` is empty.
    """
    if not calls:
        raise ValueError("nothing to time: `calls` is empty")

    def turn(call: Call, iterations: int) -> float:
        synchronize()
        begin = clock()
        for _ in range(iterations):
            call()
        synchronize()
        return clock() - begin

    iterations = {}
    for name, call in calls.items():
        wait_for_idle_threads()
        turn(call, 1)
        iterations[name] = _iterations(partial(turn, call))
    samples: dict[str, list[float]] = {name: [] for name in calls}
    waited = waited or run_queue_seconds
    begin, order, passes, starved = clock(), list(calls), 0, 0
    while clock() - begin < seconds or passes < LEAST or passes % 2:
        is_starved = False
        for name in order:
            wait_for_idle_threads()
            if iterations[name] > 1:
                turn(calls[name], 1)
            before = waited()
            took = turn(calls[name], iterations[name])
            samples[name].append(took / iterations[name])
            is_starved |= waited() - before > STARVED * took
        starved += is_starved
        order.reverse()
        passes += 1
    return Turns(samples=samples, is_starved=2 * starved > passes)


def _iterations(turn: Callable[[int], float]) -> int:
    """Return the calls that fill a turn, tried out: the first ones are slow and misleading, and too short a turn
    measures cold caches (tiny mlp in eager was four times too slow).
    """
    iterations, took = 1, turn(1)
    while took < TURN and (took > 0 or iterations < UNCLOCKED):
        wanted = ceil(SPARE * TURN * iterations / took) if took > 0 else iterations * GROWTH
        iterations = min(max(wanted, iterations + 1), iterations * GROWTH)
        took = turn(iterations)
    return iterations


def run_queue_seconds() -> float:
    """Return the seconds that the most delayed thread of this process has waited for a core so far; 0.0 where the
    system does not count them.
    """
    longest = 0
    try:
        for task in Path("/proc/self/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended
                longest = max(longest, int((task / "schedstat").read_text().split()[1]))
    except (OSError, ValueError, IndexError):
        return 0.0
    return longest * 1e-9


def ratio(samples_a: Sequence[float], samples_b: Sequence[float]) -> Ratio:
    """Return how many times longer A takes than B: the median of a/b over neighbouring samples, with an interval.

    Raise ValueError unless both have the same number of samples, 6 or more, as returned by `alternate`.
    """
    if len(samples_a) != len(samples_b) or len(samples_a) < LEAST:
        raise ValueError(
            f"{len(samples_a)} and {len(samples_b)} samples; expected equally many, at least {LEAST},"
            " taken in turns by `alternate`"
        )
    ratios = sorted(a / b for a, b in zip(samples_a, samples_b, strict=True))
    rank = _rank(len(ratios))
    return Ratio(
        median=median(ratios), low=ratios[rank], high=ratios[-1 - rank], num_pairs=len(ratios)
    )


def speed_ratio(reference: Sequence[float], samples: Sequence[float]) -> SpeedRatio:
    """Return how many times faster than `reference` the samples are, as a result field; see `ratio`."""
    found = ratio(reference, samples)
    return SpeedRatio(ratio=found.median, low=found.low, high=found.high)


def _rank(count: int) -> int:
    """Return how many of `count` sorted values can be cut off at each end with the rest still bounding the median.

    The median is below the (k+1)th smallest of n values with probability P(B <= k), B binomial (n, 1/2).
    """
    below, rank = 0.0, 0
    while True:
        below += comb(count, rank) / 2**count
        if 2 * below > 1 - CONFIDENCE:
            return max(0, rank - 1)
        rank += 1
