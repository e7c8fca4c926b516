"""Bridge to pytest-benchmark: its table and JSON hold the seconds that the worker measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from diagnostics.codec import encode
from suite.record import Record


@dataclass(slots=True)
class ReplayClock:
    """A timer that advances only by the replayed samples."""

    now: float = 0.0

    def __call__(self) -> float:
        """Seconds, as `timer` of pytest-benchmark."""
        return self.now

    def __hash__(self) -> int:
        return id(self)


CLOCK = ReplayClock()
"""The timer of every test in `bench`; tests run one after another."""


class Benchmark(Protocol):
    """The part of pytest-benchmark's fixture that we use."""

    extra_info: dict[str, Any]

    def pedantic(self, target: Callable[[], None], *, rounds: int, iterations: int) -> Any:
        """Call `target` `rounds` times, reading the timer before and after each call."""
        ...


def replay(benchmark: Benchmark, samples: Sequence[float], facts: Mapping[str, Any]) -> None:
    """Replay the samples (seconds) to pytest-benchmark, one round each, and put the facts into its `extra_info`."""
    rest = iter(samples)

    def one_round() -> None:
        # More calls than samples are made only if pytest-benchmark times nothing (--benchmark-disable).
        CLOCK.now += next(rest, 0.0)

    benchmark.extra_info.update(facts)
    benchmark.pedantic(one_round, rounds=max(1, len(samples)), iterations=1)


def facts_of(record: Record) -> dict[str, Any]:
    """Return the cell, task, data set and result of a record as one flat JSON-able mapping, without empty fields."""
    data = encode(record.data, sparse=True) if record.data else {}
    name = {"data": data.pop("name")} if data else {}
    result = encode(record.result, sparse=True) if record.result else {}
    return {"cell": record.cell.id, "task": record.task, **result, **name, **data}
