"""What one of several processes that train together hands back, as JSON in a file of its own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RankResult:
    """One process's share of a parallel training."""

    pid: int
    backend: str
    """Backend of the process group, such as `gloo`."""
    losses: tuple[float, ...]
    """Mean loss over all processes, one per step."""
    seconds: tuple[float, ...]
    """Wall time of each step."""
    num_samples: int
    """Samples that this process has seen."""
    num_weights: int
    """Parameters of the whole model."""
    num_local_weights: int
    """Parameters that this process held."""
    digest: str
    """SHA-256 of the parameters that it held in the end."""
