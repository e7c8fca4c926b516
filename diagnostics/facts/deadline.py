"""Deadlines that wait longer where a busy machine keeps the work waiting for a processor."""

# Plain os calls start faster than pathlib and take most of the second that a run may take.

from __future__ import annotations

import os
import subprocess
import time
from contextlib import suppress

from diagnostics.facts.procfs import names, text

LONGEST = 20.0
"""A deadline is never stretched to more than so many times its seconds."""
STEP_SECONDS = 0.5
_LEAST_WORK = 0.05
"""Seconds of processor time below which the ratio of waiting to work tells nothing."""


class Deadline:
    """Seconds for some work, counted as if the machine had nothing else to do.

    A process that runs for one second and stands in the queue for nine gets ten seconds of wall
    clock for each of its own, so that load alone makes nothing late; what hangs without using the
    processor is late at the plain number of seconds. `pid` is the process that does the work.
    """

    def __init__(self, seconds: float, pid: int | None = None) -> None:
        self.seconds = seconds
        self._task = f"/proc/{pid or os.getpid()}/task"
        self._start = time.monotonic()
        self._before = self._counters()

    def remaining(self) -> float:
        """Return the wall seconds that are left, 0 when it is over."""
        elapsed = time.monotonic() - self._start
        return max(0.0, self.seconds * self._stretch() - elapsed)

    def _stretch(self) -> float:
        worked, waited = (
            after - before for after, before in zip(self._counters(), self._before, strict=True)
        )
        if waited <= 0:
            return 1.0
        return min(LONGEST, 1.0 + waited / max(worked, _LEAST_WORK))

    def _counters(self) -> tuple[float, float]:
        """(seconds on a processor, seconds in the queue for one) of all threads; see proc(5)."""
        worked = waited = 0
        for thread in names(self._task):
            words = text(f"{self._task}/{thread}/schedstat", 128).split()
            if len(words) >= 2 and words[0].isdigit() and words[1].isdigit():
                worked += int(words[0])
                waited += int(words[1])
        return worked / 1e9, waited / 1e9


def communicate(child: subprocess.Popen[bytes], seconds: float) -> tuple[bytes, bytes, bool]:
    """Return what the child wrote to stdout and stderr, and whether it was late and had to be killed."""
    deadline = Deadline(seconds, child.pid)
    while True:
        left = deadline.remaining()
        try:
            output, errors = child.communicate(timeout=min(left, STEP_SECONDS))
            return output or b"", errors or b"", False
        except subprocess.TimeoutExpired:
            if left > STEP_SECONDS:
                continue
        child.kill()
        # A process that hangs in the kernel does not even die.
        with suppress(subprocess.TimeoutExpired):
            output, errors = child.communicate(timeout=1.0)
            return output or b"", errors or b"", True
        return b"", b"", True


def run(
    command: list[str], seconds: float, **options: object
) -> subprocess.CompletedProcess[bytes]:
    """Return what a command wrote and its exit status.

    Raises subprocess.TimeoutExpired when it is late and OSError when it cannot be started.
    """
    child = subprocess.Popen(  # type: ignore[call-overload]
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )
    output, errors, late = communicate(child, seconds)
    if late:
        raise subprocess.TimeoutExpired(command, seconds, output, errors)
    return subprocess.CompletedProcess(command, child.returncode, output, errors)
