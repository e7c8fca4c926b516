"""Worker failures: exceptions that map to outcomes, and the interpretation of a dead process."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Final

from suite.outcome import Outcome


class Unavailable(RuntimeError):
    """Error raised if this machine lacks what the cell needs; the message names it and how to get it."""


class Unsupported(RuntimeError):
    """Error raised if the combination cannot work; the message holds the reason."""


MEANINGS: Final = {"Unavailable": Outcome.UNAVAILABLE, "Unsupported": Outcome.UNSUPPORTED}
"""Exception class name -> outcome; anything else raised is a failure."""

_OUT_OF_MEMORY: Final = ("OutOfMemoryError", "MemoryError")
_OUT_OF_MEMORY_TEXTS: Final = (
    "DefaultCPUAllocator: can't allocate memory",
    "CUDA out of memory",
    "Failed to allocate memory for requested buffer",  # ONNX Runtime
    "std::bad_alloc",
)


def outcome_of(kind: str, message: str) -> Outcome:
    """Return the outcome for an exception of that class with that message."""
    if kind in _OUT_OF_MEMORY or any(text in message for text in _OUT_OF_MEMORY_TEXTS):
        return Outcome.OUT_OF_MEMORY
    return MEANINGS.get(kind, Outcome.FAILED)


EXTRAS: Final = {
    "torchvision": "vision",
    "segmentation_models_pytorch": "vision",
    "timm": "vision",
    "transformers": "text",
    "tokenizers": "text",
    "torch_pruning": "optimize",
    "torchao": "optimize",
    "peft": "optimize",
    "openvino": "openvino",
}
"""Library that not every installation has -> the extra that brings it."""


def missing_extra(module: str | None) -> str:
    """Return what a missing module of an extra's library needs, as a sentence; empty for any other module."""
    library = (module or "").partition(".")[0]
    if library not in EXTRAS:
        return ""
    return f"{library} is not installed; next: pip install 'torch-vitals[{EXTRAS[library]}]'"


def num_oom_kills() -> int:
    """Return the number of processes that the kernel has killed for memory, here or in our cgroup; 0 if unknown."""
    total = 0
    for path, key in (
        (Path("/proc/vmstat"), "oom_kill"),
        (Path("/sys/fs/cgroup/memory.events"), "oom_kill"),
    ):
        try:
            lines = path.read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.split()[0] == key)
    return total


def signal_name(number: int) -> str:
    """Return a signal's name, e.g. SIGSEGV for 11; `signal 77` for one without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def tail_of(path: str, *, lines: int = 30, num_bytes: int = 16_384) -> str:
    """Return the last lines of a log; empty if there is no log."""
    if not path:
        return ""
    try:
        with Path(path).open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - num_bytes))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
