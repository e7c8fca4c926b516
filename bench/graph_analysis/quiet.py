"""Worker side. What is timed runs alone, although graphs are analysed side by side: a lock that the workers share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def beside(lock: str) -> Iterator[None]:
    """Hold the file `lock` together with others that are beside: for work that nothing is timed in. "" = no lock."""
    with _held(lock, is_alone=False):
        yield


@contextmanager
def alone(lock: str) -> Iterator[None]:
    """Hold the file `lock` with nobody else, after all others have let it go: for work that is timed. "" = no lock."""
    with _held(lock, is_alone=True):
        yield


@contextmanager
def _held(lock: str, *, is_alone: bool) -> Iterator[None]:
    if not lock:
        yield
        return
    import fcntl  # not on Windows, where one worker does all and there is no lock

    with Path(lock).open("a", encoding="utf-8") as file:  # its end, or the process's, lets it go
        fcntl.flock(file, fcntl.LOCK_EX if is_alone else fcntl.LOCK_SH)
        yield
