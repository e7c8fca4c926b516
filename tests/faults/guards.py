"""Limits of one call: seconds of processor and memory at most, so that a busy machine changes neither."""

from __future__ import annotations

import contextlib
import re
import signal
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

PROCESSOR = 20.0
"""Seconds of processor after which a reader counts as hanging; every one of them takes milliseconds."""
SPARE = 24 << 20
"""Bytes for what is independent of the file: imports on the way, tables that are made once, the allocator's steps."""
TIMES = 10
"""Times its own size that a file may take in memory."""


class Hangs(BaseException):
    """The call took its seconds; no `except Exception` on the way stops it."""


class Guard:
    """A block that may take PROCESSOR seconds and TIMES the file's bytes; raises AssertionError for more."""

    def __init__(self, name: str, num_bytes: int) -> None:
        self._name = name
        self._most = TIMES * num_bytes + SPARE
        self._before = 0

    def __enter__(self) -> Self:
        self._before = _resident_now()
        if hasattr(signal, "setitimer"):
            self._handler = signal.signal(signal.SIGPROF, _hangs)
            signal.setitimer(signal.ITIMER_PROF, PROCESSOR)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, self._handler)
        if kind is Hangs:
            raise AssertionError(
                f"{self._name}: not done after {PROCESSOR:g} s of processor"
            ) from error
        if kind is None:
            used = _resident_most() - self._before
            if used > self._most:
                raise AssertionError(
                    f"{self._name}: {used:,} bytes of memory; at most {self._most:,}"
                )


def _hangs(*_: object) -> None:
    raise Hangs


def _resident_now() -> int:
    """Bytes of this process in memory; the highest value starts again from here (Linux)."""
    if sys.platform != "linux":
        return 0
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _resident_most() -> int:
    return _status("VmHWM") if sys.platform == "linux" else 0


def _status(name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 if found else 0
