"""Temporary folders that are removed whoever is killed: their maker holds a lock, and the next maker removes the rest.

A lock of the kernel ends with its process, also of one in another container, where process numbers mean nothing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

try:
    import fcntl
except ImportError:  # Windows: folders of dead processes are told by their age alone
    fcntl = None  # type: ignore[assignment]

PREFIX: Final = "vitals."
"""Of every scratch folder in the system's temporary folder, and of nothing else there."""
PARTIAL: Final = ".partial-"
"""Of folders beside a file that is written in one of them and then renamed."""
STALE: Final = 24 * 3600.0
"""Age in seconds beyond which a folder counts as abandoned where no lock can tell."""


class Scratch:
    """A temporary folder below `parent` (default: the system's); `close` removes it."""

    def __init__(self, prefix: str = PREFIX, parent: Path | None = None) -> None:
        parent = parent or Path(tempfile.gettempdir())
        remove_abandoned(parent, prefix)
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
            self._lock = _lock(self.path, waits=True)
            if self.path.is_dir():  # before it had its lock, it may have been taken for abandoned
                break
            self.close()

    def close(self) -> None:
        """Remove the folder; may be called twice, and after it has been moved elsewhere."""
        shutil.rmtree(self.path, ignore_errors=True)
        with contextlib.suppress(OSError):  # it takes no descriptor, as emptying a folder does
            self.path.rmdir()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


@contextlib.contextmanager
def scratch_folder(prefix: str = PREFIX, parent: Path | None = None) -> Iterator[Path]:
    """Make an empty folder for the block; what killed processes have left of that prefix is removed first.

    Raises OSError if the folder cannot be made.
    """
    scratch = Scratch(prefix, parent)
    try:
        yield scratch.path
    finally:
        scratch.close()


def remove_abandoned(parent: Path, prefix: str) -> list[Path]:
    """Remove the folders of that prefix whose maker is gone, and return them."""
    gone: list[Path] = []
    try:
        found = [*parent.glob(f"{prefix}*")]
    except OSError:  # no descriptor left: the next one will
        return gone
    for folder in found:
        with contextlib.suppress(OSError):
            if folder.is_symlink() or not folder.is_dir() or not _is_ours(folder):
                continue
            if _remove_if_abandoned(folder):
                gone.append(folder)
    return gone


def _lock(folder: Path, *, waits: bool) -> int | None:
    """Return an open descriptor that holds the folder's lock; None where there are no locks.

    Raises BlockingIOError if another process holds it and this one does not wait.
    """
    if fcntl is None:
        return None
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(descriptor)
        raise
    except OSError:  # a file system that has none
        os.close(descriptor)
        return None
    return descriptor


def _remove_if_abandoned(folder: Path) -> bool:
    """Remove the folder if its maker is gone, and return whether it was."""
    try:
        descriptor = _lock(folder, waits=False)
    except BlockingIOError:
        return False
    try:
        if descriptor is None and time.time() - folder.stat().st_mtime <= STALE:
            return False
        # The lock is held meanwhile: a maker that has only just made the folder waits for it, and then finds it gone.
        shutil.rmtree(folder, ignore_errors=True)
        return True
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _is_ours(folder: Path) -> bool:
    return not hasattr(os, "geteuid") or folder.stat().st_uid == os.geteuid()
