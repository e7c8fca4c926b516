"""Cold metrics put together: every fresh worker of a cell gives one observation of each cold phase."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from suite.record import Measurement, Record

COLD_PHASES: Final = ("build", "session", "first_forward")
"""Phases of a worker that are cold metrics, under the same names in `bench.metrics`."""

IMPORT_RUNNER: Final = "bench.instruments.coldstart:import_seconds"


def cold_measurements(
    workers: Sequence[Record], imports: Measurement | None
) -> tuple[Measurement, ...]:
    """One measurement per cold metric, in seconds, one sample per fresh worker that had the phase."""
    found = [imports] if imports is not None else []
    for name in COLD_PHASES:
        samples = tuple(r.phases[name] for r in workers if name in r.phases)
        if samples:
            found.append(Measurement(metric=name, unit="s", samples=samples))
    return tuple(found)
