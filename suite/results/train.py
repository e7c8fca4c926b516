"""Result of the stage `train`."""

from __future__ import annotations

from dataclasses import dataclass

from suite.results.step_result import StageResult


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainQuality:
    """The task's metric around a training, on the test samples."""

    untrained: float | None = None
    trivial: float | None = None
    """What the task's trivial baseline reaches."""
    trained: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSign:
    """Something that is wrong with a training, and its cure."""

    code: str
    summary: str
    cure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainResult(StageResult):
    """A model that was trained briefly."""

    metric: TrainQuality | None = None
    curve: tuple[float, ...] = ()
    """Training loss of every step."""
    validation: tuple[tuple[int, float], ...] = ()
    """(step, validation loss)."""
    stopped: str = ""
    """Why training ended before its last step; empty when it did not."""
    events: tuple[str, ...] = ()
    """What the loop changed by itself, e.g. smaller micro-batches."""
    samples_per_second: float | None = None
    waiting: float | None = None
    """Share of the time (0..1) spent waiting for data."""
    steps: int | None = None
    batch: int | None = None
    micro_batch: int | None = None
    precision: str = ""
    """float32, bfloat16 or float16: what the forward pass computes in."""
    findings: tuple[HealthSign, ...] = ()
