"""Worker side. Peak memory of a training, as far as the platform reports it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from suite.axes import is_accelerator
from suite.measurement import Measurement
from suite.process_memory import NotHereError, reset_peak, settle, status_bytes


@contextmanager
def peak_memory(device: str) -> Iterator[Callable[[], list[Measurement]]]:
    """Yield a function that returns the peak so far as measurements, in bytes.

    CPU: the rise of resident memory above its level at entry. CUDA: the largest amount that the allocator handed out.
    """
    if is_accelerator(device):
        torch.cuda.reset_peak_memory_stats(device)
        yield lambda: [_measured("train_cuda_allocated", torch.cuda.max_memory_allocated(device))]
        return
    try:
        settle()
        reset_peak()
        base = status_bytes("VmRSS")
    except NotHereError:
        yield list
        return
    yield lambda: [_measured("train_peak_rss", max(0, status_bytes("VmHWM") - base))]


def _measured(metric: str, num_bytes: int) -> Measurement:
    return Measurement(metric=metric, unit="B", samples=(float(num_bytes),))
