"""Roofline of a run: the machine's peaks and how close each model comes to them; a pure function of records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from bench.summary.model import Lane, Row
from bench.summary.numbers import finite
from bench.summary.roofline_records import Peaks, Roofline, RoofPoint
from diagnostics.codec import decode_as

FLOPS_PER_MAC: Final = 2
BUSY: Final = 0.1
"""Share of the roof below which neither compute nor memory bandwidth limits a model."""
CACHED: Final = 1.05
"""Share above which data must have come from a cache: the roof is that of main memory."""


def peaks_of(entries: object) -> tuple[Peaks, ...]:
    """Return the peaks that a run stored as `roofline`; entries of another shape are left out."""
    found = []
    for entry in entries if isinstance(entries, (list, tuple)) else ():
        with suppress(ValueError):
            peaks = decode_as(Peaks, entry)
            rates = {d: rate for d, rate in peaks.matmul.items() if finite(rate) and rate > 0}
            if rates and finite(peaks.bandwidth) and peaks.bandwidth > 0:
                found.append(replace(peaks, matmul=rates))
    return tuple(found)


def roofline_of(info: Mapping[str, Any], rows: Sequence[Row]) -> Roofline | None:
    """Return the roofline of the run; None if its peaks were not measured or no model has both MACs and a latency."""
    peaks = peaks_of(info.get("roofline"))
    by_device = {peak.device: peak for peak in peaks}
    points = [
        point
        for row in rows
        for lane in row.lanes
        if row.device in by_device
        and (point := point_of(row, lane, by_device[row.device])) is not None
    ]
    return Roofline(peaks=peaks, points=tuple(points)) if points else None


def point_of(row: Row, lane: Lane, peaks: Peaks) -> RoofPoint | None:
    """Return the point of that backend of that row; None if a required measurement is missing."""
    rate = peaks.matmul.get(row.dtype)
    num_bytes = least_bytes(row)
    if lane.timing is None or not row.macs or not num_bytes or rate is None:
        return None
    work, seconds = FLOPS_PER_MAC * row.macs, lane.timing.p50
    intensity = work / num_bytes
    memory_roof = intensity * peaks.bandwidth
    roof = min(rate, memory_roof)
    share = work / seconds / roof
    if share > CACHED:
        limit = "cache"
    elif share < BUSY:
        limit = "overhead"
    else:
        limit = "memory" if memory_roof < rate else "compute"
    return RoofPoint(
        row=row.id,
        backend=lane.backend,
        cell=lane.cell,
        flops=work / seconds,
        bytes_per_second=num_bytes / seconds,
        intensity=intensity,
        share=share,
        limit=limit,
    )


def least_bytes(row: Row) -> float:
    """Return the minimum bytes moved by one pass: every weight once, and the activations' peak written and read
    once.
    """
    peaks = [p for lane in row.lanes if (p := lane.quantity("peak_tensor_bytes")) is not None]
    return float(row.parameter_bytes or 0) + 2 * max(peaks, default=0.0)
