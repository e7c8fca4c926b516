"""Result of the stage `finetune`."""

from __future__ import annotations

from dataclasses import dataclass

from suite.results.step_result import StageResult


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneQuality:
    """The metrics of both tasks around a fine-tuning."""

    before: float | None = None
    """Second task, as trained on the first."""
    scratch: float | None = None
    """Second task, a twin from random weights after the same number of steps."""
    finetuned: float | None = None
    """Second task, at the end."""
    first_before: float | None = None
    first_after: float | None = None
    """First task, before and after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneResult(StageResult):
    """A trained model that was fine-tuned on a second task."""

    strategy: str = ""
    """The variant, a function of `suite.training.strategies`."""
    metric: FinetuneQuality | None = None
    forgotten: float | None = None
    """How much worse the metric of the first task became; negative when it became better."""
    curve: tuple[float, ...] = ()
    """Training loss of every step."""
    events: tuple[str, ...] = ()
    steps: int | None = None
    trainable: int | None = None
    """Number of weights that were trained."""
