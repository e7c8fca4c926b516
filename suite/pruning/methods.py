"""Worker side. The pruning methods, by the name in the record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from suite.pruning.attention import prune_feed_forward, prune_heads
from suite.pruning.errors import PruningError
from suite.pruning.graph import Group, prune_groups
from suite.pruning.recurrent import prune_recurrent
from suite.pruning.request import PruningRequest


def prune_channels(request: PruningRequest) -> None:
    """Remove output channels of convolutions and Linear layers; normalizations and consumers follow.

    A layer without consumers produces the model's output and keeps its outputs. Raises PruningError when no other layer
    is left.
    """

    def is_read(group: Group) -> bool:
        return bool(group.consumers)

    if not prune_groups(request, is_read):
        raise PruningError(
            "nothing is prunable: no convolution and no Linear layer outside ModelSpec.head and Pruning.ignored"
            " is read by another one"
        )


METHODS: Final[dict[str, Callable[[PruningRequest], None]]] = {
    "channels": prune_channels,
    "heads": prune_heads,
    "feed_forward": prune_feed_forward,
    "recurrent": prune_recurrent,
}
"""`Pruning.method` -> the function that performs it."""
