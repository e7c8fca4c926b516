"""Worker side. CUDA: events as a clock, counters of the caching allocator, and reasons for reduced clocks."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from typing import Any, Final

from suite.axes import is_accelerator
from suite.measurement import MeasurementFacts

MILLI: Final = 1e-3

SLOWED: Final = {
    0x08: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
}
"""Clock event reasons that void a round.
Source: nvml.h, nvmlClocksEventReason*.

The software power cap (0x04) is left out: under full load it is the normal state of a GPU, not
an accident.
"""


class CudaEvents:
    """A `DeviceTimer` on one device's current stream."""

    def __init__(self, device: str) -> None:
        import torch

        self._torch = torch
        self._device = torch.device(device)
        self._begin = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        self._end = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]

    def begin(self) -> None:
        """Record the first event on the stream."""
        self._begin.record(self._torch.cuda.current_stream(self._device))

    def end(self) -> None:
        """Record the second event, which completes after all work queued before it."""
        self._end.record(self._torch.cuda.current_stream(self._device))

    def seconds(self) -> float:
        """Return the seconds between the two events; the device must be synchronised."""
        return float(self._begin.elapsed_time(self._end)) * MILLI


def cuda_peaks(
    call: Callable[[], Any], synchronize: Callable[[], None], device: str, iterations: int
) -> tuple[int, int, MeasurementFacts]:
    """Return peak allocated and peak reserved bytes on `device` during the calls, and the allocator's
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
    facts = MeasurementFacts(
        iterations=iterations,
        num_alloc_retries=after.get("num_alloc_retries", 0) - before.get("num_alloc_retries", 0),
        num_ooms=after.get("num_ooms", 0) - before.get("num_ooms", 0),
        process_bytes=_process_bytes(device),
    )
    peaks = torch.cuda.max_memory_allocated(device), torch.cuda.max_memory_reserved(device)
    return *peaks, facts


def live_cuda_bytes(device: str) -> int:
    """Return the bytes of live tensors on `device`, after garbage collection."""
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
    # In a container the driver may list the process under another id.
    return next((row.usedGpuMemory for row in rows if row.pid == os.getpid()), None)


def throttle_reader(device: str) -> Callable[[], int] | None:
    """Return a function that reads the bits of SLOWED that hold now for that device; None for a CPU or without NVML."""
    if not is_accelerator(device):
        return None
    try:
        import pynvml
        import torch
    except ImportError:
        return None
    uuid = torch.cuda.get_device_properties(torch.device(device)).uuid
    try:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
        pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)
    except pynvml.NVMLError:
        return None
    mask = sum(SLOWED)

    def read() -> int:
        try:
            return int(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)) & mask
        except pynvml.NVMLError:
            return 0

    return read


def reason_names(bits: int) -> list[str]:
    """Return the names of the reasons."""
    return [name for bit, name in SLOWED.items() if bits & bit]
