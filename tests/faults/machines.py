"""Parts of a machine for tests to break: small file systems, read-only folders, control groups, other clocks.

Where the system refuses one (no root, a container without the right), the nearest thing stands in for it and says so.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import resource
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long offset(void) {
    char text[32] = "";
    const char *name = getenv("JUMPS");
    int file = name ? open(name, O_RDONLY) : -1;
    if (file < 0) return 0;
    if (read(file, text, sizeof text - 1) < 0) text[0] = 0;
    close(file);
    return atol(text);
}

int clock_gettime(clockid_t which, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(which, now);
    if (which == CLOCK_REALTIME) now->tv_sec += offset();
    return code;
}
"""
"""The wall clock plus the number in the file JUMPS; clocks that cannot be set stay as they are."""


def clock_library(folder: Path) -> Path | None:
    """A library to preload that sets one process another clock; None without a C compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    source, library = folder / "clock.c", folder / "clock.so"
    source.write_text(CLOCK)
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True, timeout=120
    )
    return library


@contextlib.contextmanager
def mounted(size: str) -> Iterator[Path]:
    """An empty folder that holds no more than `size`: a tmpfs; where none may be mounted, a limit on files' lengths."""
    top = Path(tempfile.mkdtemp(prefix="faults-"))
    folder = top / "small"
    folder.mkdir()
    try:
        with contextlib.ExitStack() as stack:
            if _run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder):
                stack.callback(_run, "umount", "-l", folder)
            else:
                warnings.warn("no mount here: a limit on the length of a file", stacklevel=3)
                stack.enter_context(_short_files(int(size.rstrip("k")) * 1024))
            yield folder
    finally:
        shutil.rmtree(top, ignore_errors=True)


@contextlib.contextmanager
def _short_files(num_bytes: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@contextlib.contextmanager
def read_only() -> Iterator[Path]:
    """An empty folder that nobody may write: a read-only mount, or permissions and another user than root."""
    top = Path(tempfile.mkdtemp(prefix="faults-"))
    top.chmod(0o755)
    folder = top / "fixed"
    folder.mkdir()
    try:
        if _run("mount", "-t", "tmpfs", "-o", "ro,size=64k", "tmpfs", folder):
            try:
                yield folder
            finally:
                _run("umount", "-l", folder)
            return
        folder.chmod(0o555)
        with contextlib.ExitStack() as stack:
            if os.geteuid() == 0:  # above permissions: become somebody who is not
                os.seteuid(pwd.getpwnam("nobody").pw_uid)
                stack.callback(os.seteuid, 0)
            yield folder
    finally:
        shutil.rmtree(top, ignore_errors=True)


@dataclass(slots=True)
class Group:
    """A control group with little memory."""

    procs: str = ""
    """File into which a process writes its number to enter it; empty where no group can be made."""
    folder: Path | None = None

    @property
    def stands_in(self) -> bool:
        return not self.procs

    def kills(self) -> int:
        """How many processes the kernel has killed in it."""
        for name in ("memory.oom_control", "memory.events"):
            with contextlib.suppress(OSError, AttributeError):
                for line in (self.folder / name).read_text().splitlines():
                    if line.startswith("oom_kill "):
                        return int(line.split()[1])
        return 0

    def __str__(self) -> str:
        return self.procs


@contextlib.contextmanager
def cgroup_of(num_bytes: int) -> Iterator[Group]:
    """A control group of so much memory (version 1 or 2); without the right to make one, a Group that stands in."""
    name = f"vitals-faults-{os.getpid()}"
    for top, limit, swap in (
        (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
        (Path("/sys/fs/cgroup"), "memory.max", "memory.swap.max"),
    ):
        folder = top / name
        try:
            folder.mkdir()
        except OSError:
            continue
        try:
            (folder / limit).write_text(str(num_bytes))
        except OSError:
            folder.rmdir()
            continue
        with contextlib.suppress(OSError):
            (folder / swap).write_text(str(num_bytes) if "memsw" in swap else "0")
        try:
            yield Group(procs=str(folder / "cgroup.procs"), folder=folder)
        finally:
            for _ in range(100):
                with contextlib.suppress(OSError):
                    folder.rmdir()
                    break
                time.sleep(0.05)
        return
    warnings.warn("no control group can be made here: a limit on the address space", stacklevel=3)
    yield Group()


def _run(*command: object) -> bool:
    try:
        return subprocess.run([*map(str, command)], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False
