"""Worker side. CUDA memory: the caching allocator's own counters around some calls."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from typing import Any


def cuda_peaks(
    call: Callable[[], Any], synchronize: Callable[[], None], device: str, iterations: int
) -> tuple[int, int, dict[str, Any]]:
    """Peak allocated and peak reserved bytes on `device` during the calls, and the allocator's
    other counters.

    Facts: `num_alloc_retries` and `num_ooms` (0 unless the GPU was nearly full), `process_bytes`
    (all that the driver counts for this process, CUDA's context included; None without NVML).
    """
    import torch

    synchronize()
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_stats(device)
    for _ in range(iterations):
        call()
    synchronize()
    after = torch.cuda.memory_stats(device)
    facts = {
        name: after.get(name, 0) - before.get(name, 0) for name in ("num_alloc_retries", "num_ooms")
    }
    return (
        torch.cuda.max_memory_allocated(device),
        torch.cuda.max_memory_reserved(device),
        {**facts, "iterations": iterations, "process_bytes": _process_bytes(device)},
    )


def live_cuda_bytes(device: str) -> int:
    """Bytes that tensors hold on `device` now, garbage collected."""
    import torch

    gc.collect()
    return torch.cuda.memory_allocated(device)


def _process_bytes(device: str) -> int | None:
    try:
        import pynvml
        import torch

        pynvml.nvmlInit()
        uuid = torch.cuda.get_device_properties(torch.device(device)).uuid
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
        rows = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
    except ImportError:
        return None
    except pynvml.NVMLError:
        return None
    # In a container the driver may know the process by another id: then there is no row of ours.
    return next((row.usedGpuMemory for row in rows if row.pid == os.getpid()), None)
