"""Runners of jobs that end badly, or under whom the system does."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path


def adds(job, emit):
    return {"facts": {"sum": 3}}


def grows(job, emit):
    """Takes memory in a control group with too little of it."""
    extra = job.options.extra
    emit("phase", name="grow")
    if extra["procs"]:
        Path(extra["procs"]).write_text(str(os.getpid()))
    else:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        most = used + extra["num_bytes"] // 8
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    held = []
    for _ in range(extra["num_bytes"] >> 20):
        held.append(b"x" * (1 << 20))
    return {"facts": {"num": len(held)}}


def shares(job, emit):
    """Writes to shared memory as a DataLoader's workers do, in a file system that is full."""
    extra = job.options.extra
    emit("phase", name="share")
    with Path(extra["folder"], "torch_1").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, extra["num_bytes"])
    return {"facts": {}}


def jumps(job, emit):
    """Sets its clock while it works."""
    extra = job.options.extra
    before = time.time()
    emit("phase", name="wait")
    Path(extra["place"]).write_text(str(extra["offset"]))
    time.sleep(0.05)
    by = time.time() - before
    Path(extra["place"]).write_text("0")
    return {"facts": {"by": by}}
