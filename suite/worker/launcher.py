"""Worker side. The launcher: imports the heavy libraries once and forks a fresh process per job.

Started as `python -m suite.worker.launcher [module ...]`. Jobs come on stdin, events go to stdout, one JSON line each;
its own output goes to stderr. It runs no torch operation, creates no CUDA context and stays single-threaded, because a
fork copies only the calling thread: a lock held by another would stay locked in the child for ever.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from suite.worker.child import (
    die_with_parent,
    redirect_output,
    run_job,
    volunteer_for_oom,
    write_all,
)
from suite.worker.gpu import NVML_CHECK, forks_can_use_it, is_opened, spare_torchao
from suite.worker.protocol import MORE, Event, Job


def main(modules: Sequence[str]) -> None:
    """Preload `modules`, then serve jobs until stdin ends."""
    die_with_parent()
    events = os.dup(1)
    os.dup2(2, 1)  # output printed by libraries must not enter the protocol

    def emit(kind: str, /, **data: Any) -> None:
        # The leading newline ends a line that a killed child left unfinished.
        line = "\n" + Event(kind=kind, data=data, at=time.perf_counter()).to_json() + "\n"
        write_all(events, line.encode())

    forks = make_ready(modules, emit, forks=hasattr(os, "fork"))
    for line in sys.stdin:
        more = json.loads(line).get(MORE)
        if more is not None:
            forks = make_ready(more, emit, forks=forks)
            continue
        serve = fork_job if forks else spawn_job
        status = serve(Job.from_json(line), events, emit)
        emit("exit", status=status)


def make_ready(modules: Sequence[str], emit: Callable[..., None], *, forks: bool) -> bool:
    """Preload `modules` and say so; return whether jobs can be forked from here on."""
    started = time.perf_counter()
    failed, opener = preload(modules) if forks else ({}, "")
    if forks and not forks_can_use_it():
        forks = False
        print(
            f"{opener or 'a library'} opened the GPU when it was imported, which no forked process can use then:"
            " every job gets an interpreter of its own, which costs the imports each time",
            file=sys.stderr,
            flush=True,
        )
    emit(
        "ready",
        seconds=time.perf_counter() - started,
        failed=failed,
        num_threads=num_threads(),
        forks=forks,
    )
    return forks


def preload(modules: Sequence[str]) -> tuple[dict[str, str], str]:
    """Import the modules, call the functions given as `module:function`, and make the objects cheap to share.

    Returns entry -> error for those that failed (a worker that needs one reports details), and the entry that
    initialized CUDA, or "".
    """
    os.environ[NVML_CHECK] = "1"
    if any(entry.startswith("transformers.") for entry in modules):
        spare_torchao()
    failed, opener = {}, ""
    for entry in modules:
        name, _, function = entry.partition(":")
        try:
            module = import_module(name)
            if function:
                getattr(module, function)()
        except Exception as error:
            failed[entry] = f"{type(error).__name__}: {error}"
        if not opener and is_opened():
            opener = entry
    del os.environ[NVML_CHECK]
    # Otherwise every collection in a child would touch, and so copy, all of the libraries' objects.
    gc.collect()
    gc.freeze()
    return failed, opener


def num_threads() -> int | None:
    """Return the number of threads of this process, or None if /proc does not tell. More than one makes fork unsafe."""
    try:
        return len(list(Path("/proc/self/task").iterdir()))
    except OSError:
        return None


def fork_job(job: Job, events: int, emit: Callable[..., None]) -> int:
    """Run the job in a forked child; return its exit status, negative for a signal."""
    # A child must not flush the launcher's buffered text a second time.
    sys.stdout.flush()
    sys.stderr.flush()
    launcher = os.getpid()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            die_with_parent()
            if os.getppid() != launcher:  # killed before this process could ask to die with it
                os._exit(status)
            os.setsid()  # its own process group, so that its children can be killed with it
            redirect_output(job.log)
            volunteer_for_oom()
            run_job(job, events)
            status = 0
        finally:
            os._exit(status)
    emit("started", pid=pid)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def spawn_job(job: Job, events: int, emit: Callable[..., None]) -> int:
    """Run the job in a new interpreter if fork is unavailable; slower by the imports."""
    child = subprocess.Popen(
        [sys.executable, "-m", "suite.worker.child"],
        stdin=subprocess.PIPE,
        stdout=events,
        start_new_session=hasattr(os, "setsid"),
    )
    emit("started", pid=child.pid)
    child.communicate((job.to_json() + "\n").encode())
    return child.returncode


if __name__ == "__main__":
    main(sys.argv[1:])
