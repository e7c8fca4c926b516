"""Worker side. Valgrind's callgrind from within: this process switches the counting of its own instructions on and off.

A client request is a run of instructions that leave every register as it was, which no compiler writes, and which
Valgrind takes for a question instead of running it (valgrind.h, "magic instruction sequences"). A process that was
forked under Valgrind cannot be reached by `callgrind_control`, but it can ask for itself. Sixteen instructions need no
compiler: they are written into a page of memory that may be executed.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

from bench.instruments.callgrind_profile import parse_profile, parse_total
from bench.instruments.instruction_profile import InstructionProfile
from suite.worker.errors import Unavailable

FOLDER: Final = "VITALS_CALLGRIND"
"""Environment variable: the folder of `--callgrind-out-file=FOLDER/%p`."""
ASK: Final = bytes.fromhex(
    "4889f2"  # mov rdx, rsi      what the answer is where no Valgrind runs
    "4889f8"  # mov rax, rdi      the request's number and arguments
    "48c1c703"  # rol rdi, 3
    "48c1c70d"  # rol rdi, 13
    "48c1c73d"  # rol rdi, 61
    "48c1c733"  # rol rdi, 51     128 in all: rdi is what it was
    "4887db"  # xchg rbx, rbx   Valgrind answers here, in rdx
    "4889d0"  # mov rax, rdx
    "c3"  # ret
)
"""`ask(request, default)` on x86-64 under the System V calling convention."""
RUNNING: Final = 0x1001
CALLGRIND: Final = (ord("C") << 24) | (ord("T") << 16)
ZERO, DUMP_AS, START, STOP = (CALLGRIND + number for number in (1, 3, 4, 5))

TAIL: Final = 4096
"""Bytes of a file's end that hold its total."""

Request = Callable[..., int]


def is_running() -> bool:
    """True if this process runs under Valgrind."""
    return platform.machine() in ("x86_64", "AMD64") and bool(_asker()(RUNNING))


@cache
def _asker() -> Request:
    """Return `ask(number, *arguments)`. Raises Unavailable where memory may not be executed."""
    try:
        page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    except OSError as error:
        raise Unavailable(
            f"instructions cannot be counted: this system lets no process write code ({error.strerror})"
        ) from error
    page.write(ASK)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    call = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64)(address)

    def ask(number: int, *arguments: int, keep: mmap.mmap = page) -> int:
        words = (ctypes.c_uint64 * 6)(number, *arguments)
        return int(call(ctypes.addressof(words), 0))

    return ask


class CallgrindCounter:
    """Counts the instructions of this process between `start` and `stop`."""

    def __init__(self) -> None:
        """Raises Unavailable outside of callgrind."""
        if not is_running() or FOLDER not in os.environ:
            raise Unavailable(
                "instructions are counted under Valgrind, and this process does not run under it"
            )
        self._ask = _asker()
        self._number = 0
        # Made beforehand: nothing but the counted work lies between start and stop.
        self._name = ctypes.create_string_buffer(b"counted")

    def start(self) -> None:
        """Begin at zero."""
        self._ask(START)
        self._ask(ZERO)

    def stop(self) -> InstructionProfile:
        """Stop, and return the counts since `start`."""
        self._dump()
        self._ask(STOP)
        file = self._file(self._number)
        try:
            with file.open(encoding="utf-8", errors="replace") as lines:
                return parse_profile(lines)
        finally:
            file.unlink(missing_ok=True)

    def again(self) -> None:
        """Begin at zero again without a stop: to stop and start costs up to a second, as all code is translated anew.

        A dump begins at zero, and leaves a file for `total` to remove. After ZERO alone the counts of ten passes of a
        tiny model held up to 640,000 instructions of the code in between (Valgrind 3.19, a forked Python process).
        """
        self._dump()

    def total(self) -> int:
        """Return the number of instructions since `again`; counting goes on."""
        self._dump()
        file = self._file(self._number)
        try:
            with file.open(
                "rb"
            ) as lines:  # its end alone: this process reads it while it is counted
                lines.seek(max(0, lines.seek(0, os.SEEK_END) - TAIL))
                return parse_total(lines.read().decode("utf-8", "replace").splitlines())
        finally:
            file.unlink(missing_ok=True)
            self._file(self._number - 1).unlink(missing_ok=True)

    def _dump(self) -> None:
        self._ask(DUMP_AS, ctypes.addressof(self._name))
        self._number += 1

    def _file(self, number: int) -> Path:
        return Path(os.environ[FOLDER], f"{os.getpid()}.{number}")
