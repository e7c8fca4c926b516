"""Worker side. Tensor bytes: what PyTorch's CPU allocator hands out during one call, event by
event.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

EVENT = "[memory]"


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorBytes:
    """Bytes from the CPU allocator during one call."""

    peak: int
    """Most that was handed out at once, above what lived before the call."""
    kept: int
    """Still handed out when the call's result was dropped; negative when it freed older memory."""
    total: int
    """All that was handed out, freed or not."""
    num_allocations: int


def count_tensor_bytes(call: Callable[[], Any]) -> TensorBytes:
    """The bytes that one call takes from PyTorch's CPU allocator, temporaries inside kernels
    included.

    Read from the profiler's allocation events, which are in order and exact, so that two calls
    of the same work give the same numbers. Python objects, NumPy arrays and ONNX Runtime's arena
    are not in it.
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
    """The figures of a row of changes: bytes handed out (positive) and given back (negative)."""
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
