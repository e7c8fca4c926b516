"""Worker side. The fresh process of one job: runs it and sends its events."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any

from suite.results.step_output import StepOutput, encode_output
from suite.worker.errors import Unavailable, missing_extra
from suite.worker.protocol import Event, Job

GRACE = 2.0
"""Seconds before the deadline at which the child dumps its stacks to the log."""


def run_job(job: Job, events: int) -> None:
    """Run the job's function and write its phases and its result or failure as lines to the file descriptor
    `events`.
    """

    def emit(kind: str, /, **data: Any) -> None:
        line = Event(kind=kind, data=data, at=time.perf_counter()).to_json() + "\n"
        write_all(events, line.encode())

    # Stacks of all threads go to the log shortly before the deadline, because the kill leaves none.
    faulthandler.dump_traceback_later(max(0.5, job.deadline - GRACE), exit=False)
    try:
        module, _, name = job.runner.partition(":")
        result = getattr(import_module(module), name)(job, emit)
        emit(
            "result", **(encode_output(result) if isinstance(result, StepOutput) else result or {})
        )
    except BaseException as error:
        traceback.print_exc()
        kind, message = type(error).__name__, str(error)
        if isinstance(error, ModuleNotFoundError) and (missing := missing_extra(error.name)):
            kind, message = Unavailable.__name__, missing
        emit("failure", kind=kind, message=message)
    finally:
        faulthandler.cancel_dump_traceback_later()
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()


def write_all(descriptor: int, data: bytes) -> None:
    """Write all bytes; os.write may take fewer if the pipe is full."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def redirect_output(log: str) -> None:
    """Redirect stdout and stderr, of Python and of C, to the log file, and stdin to the null device."""
    target = os.open(log or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(target, 1)
    os.dup2(target, 2)
    os.close(target)
    os.close(nothing)
    faulthandler.enable(file=2)


def volunteer_for_oom() -> None:
    """Make the kernel kill this process first when memory runs out, not the launcher or the user's shell."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("900", encoding="ascii")


def die_with_parent() -> None:
    """Make the kernel kill this process when its parent ends (Linux); elsewhere the closed pipe ends it."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def main() -> None:
    """Run one job from stdin with events on stdout (`python -m suite.worker.child`); used where fork is unavailable."""
    line = sys.stdin.readline()
    job = Job.from_json(line)
    events = os.dup(1)
    redirect_output(job.log)
    run_job(job, events)
    os._exit(0)  # as in a forked child: no atexit handlers of libraries, which may hang


if __name__ == "__main__":
    main()
