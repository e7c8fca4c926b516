"""Result of the stage `prune`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from suite.results.step_result import SpeedRatio, StageResult


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneQuality:
    """The task's metric on the way of a pruning."""

    trained: float | None = None
    masked: float | None = None
    """With as many weights set to zero and none removed."""
    pruned: float | None = None
    """Before recovery."""
    recovered: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSize:
    """How big a model is."""

    parameters: int
    macs: int
    """Multiply-accumulates of one forward pass on the cell's batch."""
    bytes: int
    """Of weights and buffers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Masks:
    """The control arm: weights set to zero one by one, which makes nothing smaller."""

    sparsity: float
    """Share of zeros (0..1) among the masked weights."""
    weights: int
    """Number of weights that could be masked."""
    parameters: tuple[int, int]
    bytes: tuple[int, int]
    """Before and after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneResult(StageResult):
    """A trained model with channels, heads or units removed, and recovered."""

    before: ModelSize | None = None
    after: ModelSize | None = None
    method: str = ""
    """A row of `suite.pruning.methods.METHODS`."""
    ratio: float | None = None
    """Share (0..1) that was to be removed."""
    importance: str = ""
    """magnitude or Taylor."""
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Module -> attribute -> (before, after)."""
    uncut: tuple[str, ...] = ()
    """Why groups of layers stayed whole, a sentence each."""
    masks: Masks | None = None
    metric: PruneQuality | None = None
    drop: float | None = None
    """How much worse the metric is after recovery; negative when it is better."""
    latency: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """Arm (trained, masked, pruned) -> seconds of a forward pass, taken in turns."""
    speedup: dict[str, SpeedRatio] = field(default_factory=dict)
    """Arm -> how many times faster than the trained model."""
    macs_ratio: float | None = None
    """MACs before / after."""
    curve: tuple[float, ...] = ()
    """Loss of every recovery step."""
