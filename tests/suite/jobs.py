"""Runners for the launcher's tests: small jobs that behave, and all the ways in which one does not."""

import ctypes
import os
import subprocess
import sys
import time


def add(job, emit):
    emit("phase", name="first")
    time.sleep(0.02)
    emit("phase", name="second")
    print("a library's chatter")
    return {"facts": {"sum": job.options.extra["a"] + job.options.extra["b"], "pid": os.getpid()}}


def environment(job, emit):
    return {
        "facts": {"modules": sorted(sys.modules), "threads": len(os.listdir("/proc/self/task"))}
    }


def raises(job, emit):
    emit("phase", name="build")
    raise ValueError("the layer expects 3 channels")


def lacks(job, emit):
    from suite.worker.errors import Unavailable

    raise Unavailable("no such device here")


def segfaults(job, emit):
    emit("phase", name="forward")
    ctypes.string_at(0)


def exits(job, emit):
    os._exit(7)


def hangs(job, emit):
    emit("phase", name="wait")
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print(f"child {child.pid} self {os.getpid()} launcher {os.getppid()}", flush=True)
    time.sleep(600)


def dies_in_the_middle_of_a_line(job, emit):
    for name in os.listdir("/proc/self/fd"):
        if os.readlink(f"/proc/self/fd/{name}").startswith("pipe:") and int(name) > 2:
            os.write(int(name), b'{"kind": "resu')
    os._exit(0)


def kills_the_launcher(job, emit):
    os.kill(os.getppid(), 9)
    time.sleep(5)


def allocates_without_end(job, emit):
    emit("phase", name="grow")
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    held = []
    while True:
        held.append(bytearray(64 << 20))


def says_much(job, emit):
    return {"facts": {"blob": "x" * 3_000_000}}


def says_what_is_no_json(job, emit):
    return {"facts": {"set": {1, 2}}}


def is_killed(job, emit):
    emit("phase", name="forward")
    os.kill(os.getpid(), 9)
