"""Result of the stage `train`."""

from __future__ import annotations

from dataclasses import dataclass

from suite.results.step_result import StageResult


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainQuality:
    """Quality metric before and after training, on the test samples."""

    untrained: float | None = None
    trivial: float | None = None
    """Metric of the task's trivial baseline."""
    trained: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSign:
    """Problem of a training, and its cure."""

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
    """Why training ended before its last step; empty if it did not."""
    events: tuple[str, ...] = ()
    """Automatic changes by the training loop, e.g. smaller micro-batches."""
    samples_per_second: float | None = None
    waiting: float | None = None
    """Share of the time (0..1) spent waiting for data."""
    steps: int | None = None
    batch: int | None = None
    micro_batch: int | None = None
    precision: str = ""
    """Dtype of the forward pass: float32, bfloat16 or float16."""
    findings: tuple[HealthSign, ...] = ()
