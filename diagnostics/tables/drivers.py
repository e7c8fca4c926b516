"""Which NVIDIA driver a CUDA runtime needs on Linux.

Floors: NVIDIA's page on minor-version compatibility. Branches: the toolkit release notes (the
driver that ships with a toolkit) and, for 610, what the driver itself reports.
"""

from __future__ import annotations

from diagnostics.tables.version import numbers

DATED = "2026-11-23"

FLOORS: dict[int, str] = {10: "440.33", 11: "450.80.02", 12: "525.60.13", 13: "580.65.06"}
"""Oldest driver per CUDA major version."""

BRANCHES: tuple[tuple[int, tuple[int, int]], ...] = (
    (440, (10, 2)),
    (450, (11, 0)),
    (455, (11, 1)),
    (460, (11, 2)),
    (465, (11, 3)),
    (470, (11, 4)),
    (495, (11, 5)),
    (510, (11, 6)),
    (515, (11, 7)),
    (520, (11, 8)),
    (525, (12, 0)),
    (530, (12, 1)),
    (535, (12, 2)),
    (545, (12, 3)),
    (550, (12, 4)),
    (555, (12, 5)),
    (560, (12, 6)),
    (565, (12, 7)),
    (570, (12, 8)),
    (575, (12, 9)),
    (580, (13, 0)),
    (590, (13, 1)),
    (595, (13, 2)),
    (610, (13, 3)),
)
"""Driver branch and the CUDA version of its user-mode driver."""


def floor_of(cuda: str) -> str | None:
    """Return the oldest driver for a CUDA version like `13.2`; None when its major is not known."""
    parts = numbers(cuda)
    return FLOORS.get(parts[0]) if parts else None


def branch_of(cuda: str) -> int | None:
    """Return the driver branch to install for a CUDA version: the floor of its major, e.g. 580."""
    floor = floor_of(cuda)
    return numbers(floor)[0] if floor else None


def runs(driver: str, cuda: str) -> bool | None:
    """Return whether a driver can run a build for this CUDA version; None when not known.

    A lower minor version within one major works (minor-version compatibility).
    """
    floor, have = floor_of(cuda), numbers(driver)
    if floor is None or not have:
        return None
    return have >= numbers(floor)


def cuda_of(driver: str) -> tuple[int, int] | None:
    """Return the newest CUDA version that a driver's branch brings: `550.54.15` -> (12, 4)."""
    have = numbers(driver)
    known = [cuda for branch, cuda in BRANCHES if have and branch <= have[0]]
    return known[-1] if known else None


def from_api(number: int) -> tuple[int, int]:
    """CUDA's integer version as numbers: `cuDriverGetVersion` 12040 -> (12, 4)."""
    return number // 1000, number % 1000 // 10


def variant_runs(variant: str, newest: tuple[int, int]) -> bool | None:
    """Return whether a variant like `cu126` runs on a driver whose CUDA version is `newest`.

    Compares the majors, as minor-version compatibility allows. None for other variants.
    """
    cuda = cuda_of_variant(variant)
    return None if cuda is None else cuda[0] <= newest[0]


def cuda_of_variant(variant: str) -> tuple[int, int] | None:
    """Return the CUDA version in a variant's name: `cu126` -> (12, 6), `cu132` -> (13, 2), else None."""
    digits = variant.removeprefix("cu")
    if digits == variant or not digits.isdigit() or len(digits) < 2:
        return None
    return int(digits[:-1]), int(digits[-1])
