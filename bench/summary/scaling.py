"""Scaling of models with the batch and with the sequence length, if several were measured; a pure function of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.summary.elements import Timing
from bench.summary.model import Row
from bench.summary.numbers import ratio_ends

AXES: Final = ("batch", "length")
"""Axes of scaling; the fields of a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaled:
    """One backend of one model over the extents."""

    backend: str
    timings: tuple[Timing | None, ...]
    """Timings by extent, in the order of the group's."""
    gain: float | None
    """Work per second at the largest extent over that at the smallest; None if either is missing."""
    low: float | None
    high: float | None
    """Interval of the gain, the worst case of both medians'; None if either has none."""
    ideal: float
    """Gain if the largest took as long as the smallest: the ratio of the extents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """One model at several batches, or at several lengths."""

    axis: str
    row: Row
    """Row at the smallest extent."""
    extents: tuple[int, ...]
    """Number of samples, or tokens of a sample."""
    backends: tuple[Scaled, ...]

    def rate(self, extent: int, seconds: float) -> float:
        """Return samples per second, or tokens."""
        return extent * (1 if self.axis == "batch" else self.row.batch) / seconds


def scalings_of(rows: Sequence[Row], axis: str = "batch") -> tuple[Scaling, ...]:
    """Return the models that were measured at two extents or more of that axis, in the order of the rows."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    others = [name for name in AXES if name != axis]
    for row in rows:
        place = (row.model, row.size, row.device, row.dtype, row.variant)
        groups.setdefault((*place, *(getattr(row, name) for name in others)), []).append(row)
    return tuple(
        _scaling(axis, sorted(group, key=lambda row: int(getattr(row, axis))))
        for group in groups.values()
        if sum(any(lane.timing for lane in row.lanes) for row in group) > 1
    )


def _scaling(axis: str, rows: Sequence[Row]) -> Scaling:
    names = dict.fromkeys(lane.backend for row in rows for lane in row.lanes)
    extents = tuple(int(getattr(row, axis)) for row in rows)
    return Scaling(
        axis=axis,
        row=rows[0],
        extents=extents,
        backends=tuple(_scaled(name, rows, extents) for name in names),
    )


def _scaled(backend: str, rows: Sequence[Row], extents: Sequence[int]) -> Scaled:
    lanes = [row.lane(backend) for row in rows]
    timings = tuple(lane.timing if lane else None for lane in lanes)
    first, last = timings[0], timings[-1]
    ideal, gain = extents[-1] / max(extents[0], 1), None
    if first is not None and last is not None and first.p50 and last.p50:
        gain = ideal * first.p50 / last.p50
    ends = ratio_ends(first, last) if first and last else (None, None)
    low, high = (None if end is None else ideal * end for end in ends)
    return Scaled(backend=backend, timings=timings, gain=gain, low=low, high=high, ideal=ideal)
