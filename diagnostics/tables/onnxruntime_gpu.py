"""For which CUDA major version the wheels of onnxruntime-gpu on the package index were built.

Source: the extra `cuda` in their metadata (1.20 and later), and the table on ONNX Runtime's page of
the CUDA execution provider (earlier ones).
"""

from __future__ import annotations

from diagnostics.tables.version import is_final, numbers

DATED = "2026-11-29"

SINCE: tuple[tuple[str, int], ...] = (("1.6", 11), ("1.19", 12), ("1.27", 13))
"""First series and its CUDA major version, oldest first."""


def cuda_major(version: str) -> int | None:
    """Return the CUDA major version of a release, None when it is older than the table or no release."""
    if not is_final(version):
        return None
    known = [major for first, major in SINCE if numbers(first) <= numbers(version)]
    return known[-1] if known else None


def range_for(major: int) -> str:
    """Return the versions that were built for a CUDA major version, such as `>=1.19,<1.27`."""
    for index, (first, built) in enumerate(SINCE):
        if built == major:
            end = SINCE[index + 1][0] if index + 1 < len(SINCE) else ""
            return f">={first}" + (f",<{end}" if end else "")
    return ""
