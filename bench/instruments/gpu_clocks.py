"""Worker side. GPU clocks: why NVIDIA's driver holds the clocks of one GPU down, through NVML."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

SLOWED: Final = {
    0x08: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
}
"""Clock event reasons that make a round worthless.
Source: nvml.h, nvmlClocksEventReason*.

The software power cap (0x04) is left out: under full load it is the normal state of a GPU, not
an accident.
"""


def gpu_reasons(uuid: str) -> Callable[[], int] | None:
    """A function that returns the bits of SLOWED that hold now for the GPU of this UUID, or None
    without NVML.
    """
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
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
    """The reasons in words."""
    return [name for bit, name in SLOWED.items() if bits & bit]
