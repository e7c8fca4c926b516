"""How models scale with the batch, where several were measured; pure, from the report's rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.report.elements import Timing
from bench.report.model import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaled:
    """One backend of one model over the batches."""

    backend: str
    timings: tuple[Timing | None, ...]
    """By batch, in the order of the group's batches."""
    gain: float | None
    """Samples per second at the largest batch over those at the smallest; None when either is missing."""
    ideal: float
    """What that gain would be if a batch took as long as one sample: the ratio of the batches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """One model at several batches."""

    row: Row
    """At the smallest batch."""
    batches: tuple[int, ...]
    backends: tuple[Scaled, ...]


def scalings_of(rows: Sequence[Row]) -> tuple[Scaling, ...]:
    """The models that were measured at two batches or more, in the order of the rows."""
    groups: dict[tuple[str, str, str, str, str], list[Row]] = {}
    for row in rows:
        place = (row.model, row.size, row.device, row.dtype, row.variant)
        groups.setdefault(place, []).append(row)
    return tuple(
        _scaling(sorted(group, key=lambda row: row.batch))
        for group in groups.values()
        if sum(any(lane.timing for lane in row.lanes) for row in group) > 1
    )


def _scaling(rows: Sequence[Row]) -> Scaling:
    names = dict.fromkeys(lane.backend for row in rows for lane in row.lanes)
    batches = tuple(row.batch for row in rows)
    return Scaling(
        row=rows[0],
        batches=batches,
        backends=tuple(_scaled(name, rows, batches) for name in names),
    )


def _scaled(backend: str, rows: Sequence[Row], batches: Sequence[int]) -> Scaled:
    lanes = [row.lane(backend) for row in rows]
    timings = tuple(lane.timing if lane else None for lane in lanes)
    first, last = timings[0], timings[-1]
    gain = None
    if first is not None and last is not None and first.p50 and last.p50:
        gain = (batches[-1] / last.p50) / (batches[0] / first.p50)
    return Scaled(
        backend=backend, timings=timings, gain=gain, ideal=batches[-1] / max(batches[0], 1)
    )
