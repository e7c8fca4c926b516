"""Worker side. Tensor bytes: allocations of PyTorch's CPU allocator during one call."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

EVENT = "[memory]"


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorBytes:
    """Bytes allocated by the CPU allocator during one call."""

    peak: int
    """Most that was allocated at once, above the level before the call."""
    kept: int
    """Still allocated after the call's result was dropped; negative if older memory was freed."""
    total: int
    """Sum of all allocations, freed or not."""
    num_allocations: int


def count_tensor_bytes(call: Callable[[], Any]) -> TensorBytes:
    """Count the bytes that one call takes from PyTorch's CPU allocator, temporaries inside kernels
    included.

    Computed from the profiler's allocation events, which are ordered and exact, so that two calls
    of the same work give the same numbers. Python objects, NumPy arrays and ONNX Runtime's arena
    are not included.
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # it reports a missing GPU as an error
    from torch.autograd.profiler import profile

    with profile(use_cpu=True, profile_memory=True) as profiler:
        call()
    events = profiler.kineto_results.events() if profiler.kineto_results else []
    return summarize_changes(
        event.nbytes()
        for event in sorted(events, key=lambda event: event.start_ns())
        if event.name() == EVENT and _is_cpu(event)
    )


def summarize_changes(changes: Iterable[int]) -> TensorBytes:
    """Summarize a sequence of changes: bytes allocated (positive) and freed (negative)."""
    changes = list(changes)
    levels = list(accumulate(changes, initial=0))
    return TensorBytes(
        peak=max(levels),
        kept=levels[-1],
        total=sum(change for change in changes if change > 0),
        num_allocations=sum(change > 0 for change in changes),
    )


def _is_cpu(event: Any) -> bool:
    return str(event.device_type()).endswith("CPU")
