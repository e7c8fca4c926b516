"""Worker side. A lock that two processes pass to each other, so that only one of them works at a time."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

CONNECT_RETRY_SECONDS: Final = 0.002
"""Seconds between two attempts to connect to the other arm, before anything is measured."""
GONE: Final = ".gone"
"""Suffix of the file that marks that one of the two arms has ended and will not connect."""


class ArmLost(RuntimeError):
    """The other arm's process ended; its own record has the reason."""


class TurnLock:
    """One end of a stream between two arms; `acquire` sleeps until the other releases."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._lines = stream.makefile("rb")

    def acquire(self) -> int | None:
        """Wait for the other arm; returns its number of disturbed turns so far, or None if it ended the block.

        Raises ArmLost if the other arm is gone, TimeoutError if it holds the lock too long.
        """
        line = self._lines.readline()
        if not line:
            raise ArmLost("the other arm ended in the middle of the block")
        number = json.loads(line)
        return None if number is None else int(number)

    def release(self, *, num_bad: int) -> None:
        """Let the other arm work; `num_bad` turns of this arm were disturbed so far."""
        self._send(num_bad)

    def end(self) -> None:
        """Tell the other arm that the block has ended."""
        self._send(None)

    def _send(self, word: int | None) -> None:
        try:
            self._stream.sendall(json.dumps(word).encode() + b"\n")
        except OSError as error:
            raise ArmLost("the other arm ended in the middle of the block") from error


@contextmanager
def join(
    path: str, *, begins: bool, deadline: float, patience: float | None = None
) -> Iterator[TurnLock]:
    """Connect the two arms at the socket `path`; yields the lock when both are connected.

    The arm with the first turn listens. Raises TimeoutError if the other does not connect within `deadline` seconds,
    and from the lock if it does not answer within `patience` (default: as long).
    """
    if not hasattr(socket, "AF_UNIX"):
        raise RuntimeError("two arms meet at a Unix socket, which this system does not have")
    stream = _listen(path, deadline) if begins else _connect(path, deadline)
    with stream:
        stream.settimeout(deadline if patience is None else patience)
        try:
            yield TurnLock(stream)
        finally:
            with contextlib.suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)  # the file object made from it would keep it open


def _listen(path: str, deadline: float) -> socket.socket:
    until = time.monotonic() + deadline
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        draft = f"{path}.new"
        door.bind(draft)
        door.listen(1)
        Path(draft).rename(path)  # the socket accepts connections as soon as it is visible
        door.settimeout(0.5)
        while True:
            try:
                return door.accept()[0]
            except TimeoutError:
                _still_expected(path, until)


def _connect(path: str, deadline: float) -> socket.socket:
    until = time.monotonic() + deadline
    while True:
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            stream.connect(path)
            return stream
        except (FileNotFoundError, ConnectionRefusedError):
            stream.close()
            _still_expected(path, until)
            time.sleep(CONNECT_RETRY_SECONDS)


def _still_expected(path: str, until: float) -> None:
    if Path(path + GONE).exists():
        raise ArmLost("the other arm ended before the block")
    if time.monotonic() > until:
        raise TimeoutError("the other arm did not come to the block")
