"""Worker side. Peak memory between two calls: resident memory, or what the CUDA allocator handed out."""

from __future__ import annotations

from collections.abc import Callable

import torch

from suite.axes import is_accelerator
from suite.process_memory import reset_peak, settle, status_bytes


def peak_meter(device: str) -> Callable[[], int]:
    """Begin a measurement; the returned function gives the highest level since then above that of now, in bytes.

    Pages of files that are read for the first time do not count. Raise NotHereError where the system does not tell.
    """
    settle()
    if is_accelerator(device):
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        level = torch.cuda.memory_allocated(device)
        return lambda: torch.cuda.max_memory_allocated(device) - level
    reset_peak()
    base, files = status_bytes("VmRSS"), status_bytes("RssFile")

    def high() -> int:
        faulted_in = max(0, status_bytes("RssFile") - files)
        return max(0, status_bytes("VmHWM") - base - faulted_in)

    return high
