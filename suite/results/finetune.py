"""Result of the stage `finetune`."""

from __future__ import annotations

from dataclasses import dataclass

from suite.results.step_result import StageResult


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneQuality:
    """Quality metrics of both tasks before and after fine-tuning."""

    before: float | None = None
    """Second task, before fine-tuning."""
    scratch: float | None = None
    """Second task, for a copy from random weights after the same number of steps."""
    finetuned: float | None = None
    """Second task, after fine-tuning."""
    first_before: float | None = None
    first_after: float | None = None
    """First task, before and after fine-tuning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneResult(StageResult):
    """A trained model that was fine-tuned on a second task."""

    strategy: str = ""
    """Variant, which names a function of `suite.training.strategies`."""
    metric: FinetuneQuality | None = None
    forgotten: float | None = None
    """Loss of the first task's metric; negative if it improved."""
    curve: tuple[float, ...] = ()
    """Training loss of every step."""
    events: tuple[str, ...] = ()
    steps: int | None = None
    trainable: int | None = None
    """Number of trained weights."""
