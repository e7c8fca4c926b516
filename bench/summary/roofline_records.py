"""Records of a roofline: the peaks of a device and the measured points; plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Peaks:
    """Measured peaks of one device."""

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
    """Lower bound of the bytes moved per second; see `least_bytes`."""
    intensity: float
    """FLOP per byte."""
    share: float
    """Share of the roof at that intensity; above 1 the data came from a cache."""
    limit: str
    """Limiting factor: compute, memory, cache or overhead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roofline:
    """Peaks and points of a run."""

    peaks: tuple[Peaks, ...]
    points: tuple[RoofPoint, ...]
