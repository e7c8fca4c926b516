"""Worker side. The processor's own counter of retired instructions, through the Linux system call perf_event_open(2).

It counts in user space alone, so that interrupts and page faults of a busy machine do not enter, costs nothing while it
counts, and knows nothing of functions. Most virtual machines hide it.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import struct
import sys
from pathlib import Path
from typing import Final

from bench.instruments.instruction_profile import InstructionProfile
from suite.worker.errors import Unavailable

SYSTEM_CALL: Final = {"x86_64": 298, "aarch64": 241}
"""Processor -> number of perf_event_open."""
INSTRUCTIONS: Final = (0, 1)
"""(type, config) of the event: PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS."""
DISABLED, PINNED, NO_KERNEL, NO_HYPERVISOR = 1 << 0, 1 << 2, 1 << 5, 1 << 6
"""Bits of perf_event_attr: off at first, never shared out in turns, without the kernel and without the hypervisor."""
TIMES: Final = 0b11
"""read_format: how long the event was enabled, and how long it really counted."""
ATTRIBUTES: Final = struct.Struct("=IIQQQQQ64x")
"""type, size, config, sample period, sample type, read format, flags; the rest of its 112 bytes is zero."""
CLOSE_ON_EXEC: Final = 8
ENABLE, DISABLE, RESET = 0x2400, 0x2401, 0x2403
PARANOID: Final = Path("/proc/sys/kernel/perf_event_paranoid")
FORBIDDEN: Final = (errno.EACCES, errno.EPERM)


class HardwareCounter:
    """Counts an event of this thread between `start` and `stop`."""

    def __init__(self, event: tuple[int, int] = INSTRUCTIONS) -> None:
        """Raises Unavailable, with the reason, where the event is not counted."""
        self._file = _open(event)

    def start(self) -> None:
        """Begin at zero."""
        fcntl.ioctl(self._file, RESET, 0)
        fcntl.ioctl(self._file, ENABLE, 0)

    def stop(self) -> InstructionProfile:
        """Stop, and return the count since `start`. Raises Unavailable if the counter did other work meanwhile."""
        fcntl.ioctl(self._file, DISABLE, 0)
        answer = os.read(self._file, 24)
        if len(answer) < 24:
            raise Unavailable(
                "the processor's counter of instructions is taken by another program"
                " (a profiler, or the watchdog: sysctl kernel.nmi_watchdog=0)"
            )
        total, _, _ = struct.unpack("=QQQ", answer)
        return InstructionProfile(total=total)

    def close(self) -> None:
        """Give the counter back."""
        os.close(self._file)


def _open(event: tuple[int, int]) -> int:
    """Return the file descriptor of a counter of this thread. Raises Unavailable."""
    number = SYSTEM_CALL.get(platform.machine())
    if sys.platform != "linux" or number is None:
        raise Unavailable(
            "the processor's counter of instructions is read on Linux on x86-64 and ARM, and this is"
            f" {platform.system()} on {platform.machine()}"
        )
    kind, config = event
    flags = DISABLED | PINNED | NO_KERNEL | NO_HYPERVISOR
    asked = ATTRIBUTES.pack(kind, ATTRIBUTES.size, config, 0, 0, TIMES, flags)
    call = ctypes.CDLL(None, use_errno=True).syscall
    this_thread, any_core, no_group = 0, -1, -1
    file = int(
        call(
            number,
            ctypes.c_char_p(asked),
            this_thread,
            any_core,
            no_group,
            ctypes.c_ulong(CLOSE_ON_EXEC),
        )
    )
    if file < 0:
        raise Unavailable(why_not(ctypes.get_errno()))
    return file


def why_not(error: int) -> str:
    """Return one sentence on the system's refusal."""
    if error in FORBIDDEN:
        try:
            level = PARANOID.read_text(encoding="ascii").strip()
        except OSError:
            level = "unknown"
        return (
            "the system lets no process count its own instructions"
            f" (kernel.perf_event_paranoid is {level}; a container may forbid it too);"
            " next: sysctl kernel.perf_event_paranoid=2"
        )
    return (
        f"this processor shows no counter of instructions ({os.strerror(error)});"
        " most virtual machines hide it"
    )
