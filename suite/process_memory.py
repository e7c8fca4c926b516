"""Worker side. Resident: the process's resident memory now and at its peak, as Linux counts it."""

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
"""Sets VmHWM back to VmRSS. Source: Linux, Documentation/filesystems/proc.rst, clear_refs."""


class NotHereError(RuntimeError):
    """The system does not tell; the text says what is missing."""


def status_bytes(name: str) -> int:
    """A size from /proc/self/status in bytes: VmRSS, VmHWM, VmSwap. Raises NotHereError where
    there is none.
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
    """Sets VmHWM back to VmRSS. Raises NotHereError where the kernel does not let it."""
    try:
        CLEAR_REFS.write_text(RESET_PEAK)
    except OSError as error:
        raise NotHereError(
            f"not available here because the peak cannot be reset through {CLEAR_REFS} ({error})"
        ) from error


def settle() -> None:
    """Collects garbage and gives the heap's free pages back to the system, as far as the C
    library can.
    """
    gc.collect()
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


def peak_rss_delta(
    first: Callable[[], Any], call: Callable[[], Any], iterations: int
) -> tuple[int, int]:
    """How far resident memory rose above its level during `first` and `iterations` calls, and that
    level, both in bytes.

    Pages of files do not count: the first pass faults in the libraries' code, some ten megabytes that say
    nothing of the model and that other processes share. Not `ru_maxrss`: it is inherited from the parent and
    cannot be reset. Raises NotHereError off Linux, before anything is called.
    """
    settle()
    # Reset before the base is read: reading may fault pages in, and the rise must not be hidden.
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
