"""Runs one collector with a deadline, so that a hanging disk or driver costs one fact."""

from __future__ import annotations

import threading
from collections.abc import Callable, MutableMapping
from typing import Any, Generic, TypeVar

from diagnostics.facts.deadline import STEP_SECONDS, Deadline

_Errors = MutableMapping[str, str]
_Value = TypeVar("_Value")


class Slot(Generic[_Value]):
    """A collector that runs in a thread of its own."""

    def __init__(self, name: str, collect: Callable[[], _Value], *, seconds: float) -> None:
        self.name = name
        self._deadline = Deadline(seconds)
        self._value: list[_Value] = []
        self._error = ""
        self._thread = threading.Thread(target=self._run, args=(collect,), daemon=True, name=name)
        self._thread.start()

    def _run(self, collect: Callable[[], _Value]) -> None:
        try:
            self._value.append(collect())
        except Exception as error:
            self._error = f"{type(error).__name__}: {error}"

    def result(self, fallback: _Value, errors: _Errors) -> _Value:
        """Return the collected value; `fallback` and a line in `errors` when it failed or is late."""
        while self._thread.is_alive() and (left := self._deadline.remaining()) > 0:
            self._thread.join(min(left, STEP_SECONDS))
        if self._value:
            return self._value[0]
        late = f"no answer within {self._deadline.seconds:g} s"
        errors[self.name] = self._error or late
        return fallback


def collect(
    name: str, collector: Callable[[], Any], fallback: Any, errors: _Errors, *, seconds: float = 5.0
) -> Any:
    """Run one collector and return its value."""
    return Slot(name, collector, seconds=seconds).result(fallback, errors)
