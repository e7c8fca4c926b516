"""Data that is written to a history: one run with its records and their points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from suite.cell import Cell

AS_BUILT: Final = Cell(model="m", size="").variant
"""The variant of a model as built, and of imported benchmarks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesKey:
    """One thing that is followed over time."""

    cell: str
    """The cell's id, or the full name of an imported benchmark."""
    model: str
    size: str = ""
    backend: str = ""
    device: str = ""
    dtype: str = ""
    batch: int = 1
    variant: str = AS_BUILT
    step: str
    metric: str
    unit: str
    settings: str = ""
    """Other settings that determine the value: `data=digits threads=2 weights=random`."""

    @property
    def name(self) -> str:
        """The unique name in a history."""
        return f"{self.cell}/{self.step}/{self.metric} {self.settings}".rstrip()


def series_key(cell: Cell, *, step: str, metric: str, unit: str, settings: str = "") -> SeriesKey:
    """Return the series of a cell's metric."""
    return SeriesKey(
        cell=cell.id,
        model=cell.model,
        size=cell.size,
        backend=cell.backend,
        device=cell.device,
        dtype=cell.dtype,
        batch=cell.batch,
        variant=cell.variant,
        step=step,
        metric=metric,
        unit=unit,
        settings=settings,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One series in one record: the metric's statistic and what it was computed from."""

    series: SeriesKey
    value: float
    """In the unit of the series; the median for times."""
    low: float | None = None
    high: float | None = None
    p90: float | None = None
    p99: float | None = None
    num_samples: int = 1
    sentinel: float | None = None
    """Median seconds of the sentinel workload during the measurement, if it ran."""
    ratio: float | None = None
    """The value relative to the sentinel: a time divided by the sentinel's, a rate multiplied by it."""
    samples: tuple[float, ...] = ()
    """Empty if `value` is the only sample."""
    iterations: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordEntry:
    """One cell and step of a run."""

    cell: str
    step: str
    outcome: str
    reason: str = ""
    at: datetime
    seconds: float = 0.0
    fingerprint: str
    digest: str
    """Hash of the whole record: another digest under the same name means that it was measured again."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    points: tuple[Point, ...] = ()
    is_partial: bool = False
    """True if it was imported without all of its metrics: it never replaces a stored record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEntry:
    """One run."""

    key: str
    """Identifies the run, however often it is recorded."""
    name: str
    source: str
    """The program that made it: torch-vitals or pytest-benchmark."""
    started_at: datetime
    finished_at: datetime | None = None
    recorded_at: datetime
    commit: str = ""
    is_dirty: bool | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    environments: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Fingerprint -> description of the machine and its software."""
    records: tuple[RecordEntry, ...] = ()
    problems: tuple[str, ...] = ()
    """One sentence per missing or implausible value."""
