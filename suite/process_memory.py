"""Worker side. Resident memory of the process, current and peak, as counted by Linux."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

STATUS = Path("/proc/self/status")
CLEAR_REFS = Path("/proc/self/clear_refs")
RESET_PEAK = "5"
"""Resets VmHWM to VmRSS. Source: Linux, Documentation/filesystems/proc.rst, clear_refs."""


class NotHereError(RuntimeError):
    """The system does not provide the figure; the message names what is missing."""


def status_bytes(name: str) -> int:
    """Return a size from /proc/self/status in bytes: VmRSS, VmHWM, VmSwap.

    Raise NotHereError if it is not there.
    """
    try:
        lines = STATUS.read_text().splitlines()
    except OSError as error:
        raise NotHereError(
            f"not available here because {STATUS} cannot be read ({error})"
        ) from error
    for line in lines:
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0]) * 1024
    raise NotHereError(f"not available here because {STATUS} has no {name}")


def reset_peak() -> None:
    """Reset VmHWM to VmRSS. Raise NotHereError if the kernel does not allow it."""
    try:
        CLEAR_REFS.write_text(RESET_PEAK)
    except OSError as error:
        raise NotHereError(
            f"not available here because the peak cannot be reset through {CLEAR_REFS} ({error})"
        ) from error


def settle() -> None:
    """Collect garbage and return the heap's free pages to the system, if the C library supports it."""
    gc.collect()
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


def peak_rss_delta(
    first: Callable[[], Any], call: Callable[[], Any], iterations: int
) -> tuple[int, int]:
    """Return the rise of resident memory during `first` and `iterations` calls and its level before, in bytes.

    File pages are excluded: the first pass faults in the libraries' code, about ten megabytes that do not depend on the
    model and are shared with other processes. `ru_maxrss` is not used: it is inherited from the parent and cannot be
    reset. Raise NotHereError before any call if not on Linux.
    """
    settle()
    # Reset before reading the base: reading may fault pages in, and the rise must not be hidden.
    reset_peak()
    base, files = status_bytes("VmRSS"), status_bytes("RssFile")
    first()
    for _ in range(iterations):
        call()
    faulted_in = max(0, status_bytes("RssFile") - files)
    return max(0, status_bytes("VmHWM") - base - faulted_in), base


def _malloc_trim() -> Callable[[int], int] | None:
    if os.name != "posix":
        return None
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):  # not glibc
        return None
    return found
