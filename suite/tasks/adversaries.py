"""Worker side. Players: the parts of a model that are trained against each other, each with its own loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from suite.tasks.batch import Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """One player of a game. Its turn: zero its gradients, call `loss(batch).backward()`, take one optimizer step."""

    name: str
    parameters: Sequence[nn.Parameter]
    """The parameters this player trains; no other player has them."""
    loss: Callable[[Batch], Tensor]
    """Runs the forward pass itself; scalar, mean over samples. Its gradients may reach other players' parameters."""
