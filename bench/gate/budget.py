"""The number and the length of blocks under each plan."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from bench.gate.verdict import ALPHA, LOOKS


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockLength:
    """How long a block is."""

    num_turns: int
    """Undisturbed turns of each arm."""
    seconds: float
    """Cap of the turns."""
    warmup_seconds: float
    """Cap of each arm's warm-up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Blocks and turns under one plan."""

    screen: int = 5
    """Blocks of every row. Five are the fewest with an exact one-sided 95% bound (1 - 2^-5), which a row needs to pass;
    four would leave every unflagged row without one."""
    confirm: int = 10
    """Fresh blocks of a flagged row."""
    most: int = 20
    """Fresh blocks of a row that is still inconclusive, while `more_seconds` last."""
    control: int = 2
    """Blocks of the negative control per sweep over the rows of the screen; one is enough beside a few flagged rows."""
    block: BlockLength
    """Short: blocks differ by their processes more than by their turns, so that more blocks are worth more than longer
    ones (tests/speed/block_length.py)."""
    more_seconds: float
    """Time after which no further blocks are bought for inconclusive rows."""

    def num_confirming(self, num_flagged: int) -> int:
        """Return how many fresh blocks a flagged row gets: `confirm`, or as many as a verdict takes.

        n blocks that all point one way have p = 2^-n, and for the one slow row among others that noise flagged the
        correction multiplies it by their number: with ten blocks none of 26 could regress, however slow it is.
        """
        least = math.ceil(math.log2(max(1, num_flagged) * LOOKS / ALPHA))
        return min(max(self.confirm, least), max(self.most, self.confirm))


BUDGETS: Final = {
    "quick": Budget(
        block=BlockLength(num_turns=4, seconds=0.25, warmup_seconds=0.06),
        more_seconds=60.0,
    ),
    "standard": Budget(
        block=BlockLength(num_turns=6, seconds=0.4, warmup_seconds=0.1),
        more_seconds=240.0,
    ),
    "rigorous": Budget(
        block=BlockLength(num_turns=40, seconds=4.0, warmup_seconds=1.0),
        more_seconds=3600.0,
        screen=10,
    ),
}
"""Plan -> budget."""
