"""Runs a command, passes its output on, and keeps the parts that may explain a failure."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

CANNOT_RUN = 127
HEAD, TAIL = 2 * 2**20, 8 * 2**20
"""Bytes kept from the beginning and from the end of the output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A finished command: its exit code and its output."""

    code: int
    """Its exit code; 128 + n when signal n ended it; 127 when it could not be started."""
    text: str
    """Its output and errors in the order of their arrival; a long one lacks its middle."""
    reason: str = ""
    """The shell's word for the end, such as `Killed`; empty for an ordinary exit."""


class Tape:
    """Keeps the first and the last bytes of a stream of unknown length."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._head = bytearray()
        self._tail = bytearray()

    def add(self, data: bytes) -> None:
        """Appends bytes; may be called from several threads."""
        with self._lock:
            room = HEAD - len(self._head)
            self._head += data[:room]
            self._tail += data[room:] if room < len(data) else b""
            if len(self._tail) > 2 * TAIL:
                del self._tail[:-TAIL]

    def text(self) -> str:
        """What was kept."""
        with self._lock:
            return bytes(self._head + self._tail).decode("utf-8", "replace")


def watch(command: Sequence[str]) -> Watched:
    """Run the command to its end and pass its output on at once. Never raises for its failure."""
    tape = Tape()
    try:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except (OSError, ValueError) as error:
        return Watched(code=CANNOT_RUN, text="", reason=f"cannot start {command[0]}: {error}")
    pumps = [
        threading.Thread(target=_pump, args=(child.stdout, sys.stdout, tape), daemon=True),
        threading.Thread(target=_pump, args=(child.stderr, sys.stderr, tape), daemon=True),
    ]
    for pump in pumps:
        pump.start()
    code = _wait(child)
    for pump in pumps:
        # A grandchild may hold the pipe open after the command itself has ended.
        pump.join(timeout=2)
    if code < 0:
        name = signal.strsignal(-code) or f"signal {-code}"
        return Watched(code=128 - code, text=tape.text(), reason=name)
    return Watched(code=code, text=tape.text())


def _wait(child: subprocess.Popen[bytes]) -> int:
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            # The terminal has sent it to the command too; its own handling decides.
            continue


def _pump(source: IO[bytes] | None, sink: object, tape: Tape) -> None:
    if source is None:
        return
    buffer = getattr(sink, "buffer", None)
    while data := _read_some(source):
        tape.add(data)
        if buffer is not None:
            buffer.write(data)
            buffer.flush()
        elif hasattr(sink, "write"):
            sink.write(data.decode("utf-8", "replace"))


def _read_some(source: IO[bytes]) -> bytes:
    read1 = getattr(source, "read1", source.read)
    data: bytes = read1(65536)
    return data
