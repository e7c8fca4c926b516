"""Deadlines that do not count the time in which a busy machine kept the work waiting."""

# Plain os calls start faster than pathlib and take most of the second that a run may take.

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from diagnostics.facts.procfs import names, text

# subprocess brings threading's and the selectors' modules along: it is loaded by those who start something.
if TYPE_CHECKING:
    import subprocess

LONGEST = 20.0
"""After so many times its seconds on the wall clock, a deadline is over in any case."""
STEP_SECONDS = 0.5


class Deadline:
    """Seconds for some work, in which the time that it stood in the queue for a processor is left out.

    A process that runs for one second and waits nine for its turn has used one second, so that load
    alone makes nothing late; what hangs without asking for a processor is late after the plain number
    of seconds. `pid` is the process that does the work, this one when None.
    """

    def __init__(self, seconds: float, pid: int | None = None) -> None:
        self.seconds = seconds
        self._task = f"/proc/{pid or os.getpid()}/task"
        self._start = time.monotonic()
        self._before = self._waited()

    def remaining(self) -> float:
        """Return the seconds that are left, 0 when it is over."""
        elapsed = time.monotonic() - self._start
        used = elapsed - max(0.0, self._waited() - self._before)
        return max(0.0, min(self.seconds - used, self.seconds * LONGEST - elapsed))

    def _waited(self) -> float:
        """Seconds that the threads of the process stood in the queue, 0 where Linux does not tell."""
        waited = 0
        for thread in names(self._task):
            words = text(f"{self._task}/{thread}/schedstat", 128).split()
            if len(words) >= 2 and words[1].isdigit():
                waited += int(words[1])
        return waited / 1e9


def communicate(child: subprocess.Popen[bytes], seconds: float) -> tuple[bytes, bytes, bool]:
    """Return what the child wrote to stdout and stderr, and whether it was late and had to be killed."""
    import subprocess

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
    import subprocess

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
