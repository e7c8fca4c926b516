"""Worker side. Phases: forwards a runner's events and records how long each phase takes."""

from __future__ import annotations

from typing import Any, Final

from bench.instruments.stopwatch import CLOCK, NS, Clock
from bench.metrics import METRICS
from suite.measurement import Measurement
from suite.worker.protocol import Emit

COLD_PHASES: Final = tuple(
    row.name
    for row in METRICS.values()
    if row.instrument == "coldstart" and row.name != "import"  # taken in a new interpreter
)
"""Phases of a worker that are cold metrics of the same names, one observation per fresh worker."""


class Phases:
    """An `Emit` that forwards events and adds up the seconds of each phase; a phase ends when the next
    begins.
    """

    def __init__(self, emit: Emit, clock: Clock = CLOCK) -> None:
        self._emit = emit
        self._clock = clock
        self._name = ""
        self._since = 0
        self.seconds: dict[str, float] = {}

    def __call__(self, kind: str, /, **data: Any) -> None:
        """Forward the event; a phase event ends the phase before it."""
        if kind == "phase":
            self.close()
        self._emit(kind, **data)
        if kind == "phase":
            self._name, self._since = str(data["name"]), self._clock()

    def close(self) -> None:
        """End the current phase."""
        if self._name:
            taken = (self._clock() - self._since) * NS
            self.seconds[self._name] = self.seconds.get(self._name, 0.0) + taken
        self._name = ""

    def measurements(self) -> tuple[Measurement, ...]:
        """Return measurements of the phases that are cold metrics."""
        return tuple(
            Measurement(metric=name, unit="s", samples=(self.seconds[name],))
            for name in COLD_PHASES
            if name in self.seconds
        )
