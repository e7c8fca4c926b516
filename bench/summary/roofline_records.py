"""What a roofline is made of: the peaks of a device and the points under them; plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Peaks:
    """What one device reached."""

    device: str
    threads: int | None
    bandwidth: float
    """Bytes per second, read and written."""
    matmul: Mapping[str, float]
    """dtype -> FLOP/s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoofPoint:
    """One measured cell under the roof."""

    row: str
    backend: str
    cell: str
    flops: float
    """Achieved FLOP/s: 2 x MACs over the median latency."""
    bytes_per_second: float
    """At least so much was moved per second; see `least_bytes`."""
    intensity: float
    """FLOP per byte."""
    share: float
    """Of the roof at that intensity; above 1 the data came from a cache."""
    limit: str
    """compute, memory, cache or overhead: what it is nearest to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roofline:
    """All of it."""

    peaks: tuple[Peaks, ...]
    points: tuple[RoofPoint, ...]
