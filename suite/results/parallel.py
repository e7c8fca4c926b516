"""Result of the stage `parallel`."""

from __future__ import annotations

from dataclasses import dataclass

from suite.results.step_result import StageResult


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelResult(StageResult):
    """A model that was trained by several processes and by one."""

    processes: int | None = None
    strategy: str = ""
    """ddp, fsdp or tensor."""
    backend: str = ""
    """Backend of torch.distributed: gloo or nccl."""
    curve: tuple[float, ...] = ()
    """Loss of every step, the mean over the processes."""
    curve_one_process: tuple[float, ...] = ()
    seconds_one_process: tuple[float, ...] = ()
    """Wall time of each step on one process."""
    efficiency: float | None = None
    """Time of a step on one process / (processes x time of a step on all)."""
