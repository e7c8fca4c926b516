"""Worker side. PruningRequest: the input of a pruning method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from suite.lifecycle import Pruning

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True, kw_only=True)
class PruningRequest:
    """A module to prune."""

    module: nn.Module
    """In eval mode, on the CPU; changed in place."""
    inputs: Mapping[str, Any]
    """Keyword arguments of its forward: a batch of real samples."""
    pruning: Pruning
    kept: frozenset[nn.Module] = frozenset()
    """Modules that keep their outputs, with everything inside them."""
    has_gradients: bool = False
    """The parameters carry gradients of a loss: importance is the Taylor expansion of that loss, not the magnitude."""
    left: list[str] = field(default_factory=list)
    """Groups that could not be cut, a sentence each; filled by the method."""
