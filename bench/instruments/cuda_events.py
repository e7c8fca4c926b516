"""Worker side. CUDA events: the device's own clock around a round."""

from __future__ import annotations

from typing import Final

import torch

MILLI: Final = 1e-3


class CudaEvents:
    """`DeviceTimer` on one device's current stream."""

    def __init__(self, device: str) -> None:
        self._device = torch.device(device)
        self._begin = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        self._end = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]

    def begin(self) -> None:
        """Records the first event on the stream."""
        self._begin.record(torch.cuda.current_stream(self._device))

    def end(self) -> None:
        """Records the second event; the stream reaches it when all that was queued before is
        done.
        """
        self._end.record(torch.cuda.current_stream(self._device))

    def seconds(self) -> float:
        """Seconds between the two events; the device must have been synchronised."""
        return float(self._begin.elapsed_time(self._end)) * MILLI
