"""Result of the stage `prune`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from suite.results.step_result import SpeedRatio, StageResult


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneQuality:
    """Quality metric at each point of pruning."""

    trained: float | None = None
    masked: float | None = None
    """With the same number of weights set to zero and none removed."""
    pruned: float | None = None
    """Before recovery."""
    recovered: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSize:
    """Size of a model."""

    parameters: int
    macs: int
    """Multiply-accumulates of one forward pass on the cell's batch."""
    bytes: int
    """Bytes of weights and buffers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Masks:
    """Control arm: individual weights set to zero, which does not make the model smaller."""

    sparsity: float
    """Share of zeros (0..1) among the masked weights."""
    weights: int
    """Number of weights that could be masked."""
    parameters: tuple[int, int]
    bytes: tuple[int, int]
    """Before and after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneResult(StageResult):
    """A trained model after removal of channels, heads or units and recovery training."""

    before: ModelSize | None = None
    after: ModelSize | None = None
    method: str = ""
    """Row of `suite.pruning.engine.METHODS`."""
    ratio: float | None = None
    """Requested share (0..1) to remove."""
    importance: str = ""
    """magnitude or Taylor."""
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Module -> attribute -> (before, after)."""
    uncut: tuple[str, ...] = ()
    """One sentence per group of layers that was not pruned, with the reason."""
    masks: Masks | None = None
    metric: PruneQuality | None = None
    drop: float | None = None
    """Loss of the metric after recovery; negative if it improved."""
    latency: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """Arm (trained, masked, pruned) -> seconds of a forward pass, measured alternately."""
    is_starved: bool = False
    """Whether those were taken while a thread had less than 80% of a core, so that no ratio can be told."""
    speedup: dict[str, SpeedRatio] = field(default_factory=dict)
    """Arm -> speedup over the trained model."""
    macs_ratio: float | None = None
    """MACs before / after."""
    curve: tuple[float, ...] = ()
    """Loss of every recovery step."""
