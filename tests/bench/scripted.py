"""A machine whose clock, work and counters follow a script, so that timing code is tested
without waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, repeat

from bench.instruments.counters import Counters
from bench.instruments.rounds import Boundary


class Machine:
    """Time passes only when something is called."""

    def __init__(self, tick: int = 0) -> None:
        self.now = 1_000_000_000
        self.tick = tick
        """Nanoseconds that reading the clock takes."""

    def clock(self) -> int:
        self.now += self.tick
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += round(seconds * 1e9)

    def call(self, durations: Iterable[float]) -> Callable[[], None]:
        """A call that takes the next of `durations` each time, the last one for ever."""
        rest = forever(durations)
        return lambda: self.sleep(next(rest))

    def rounds(self, durations: Iterable[float]) -> Callable[[], float]:
        """A round that takes the next of `durations` and returns it."""
        rest = forever(durations)

        def one() -> float:
            seconds = next(rest)
            self.sleep(seconds)
            return seconds

        return one


def forever(values: Iterable[float]) -> Iterator[float]:
    found = list(values)
    return chain(found, repeat(found[-1]))


def quiet(sentinel: float = 3e-5) -> Boundary:
    return Boundary(sentinel=sentinel, counters=Counters(waited={1: 0}))


def looks(*, sentinels: Iterable[float] = (3e-5,)) -> Callable[[], Boundary]:
    rest = forever(sentinels)
    return lambda: quiet(next(rest))
