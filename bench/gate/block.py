"""A block: two fresh processes, one per arm, and the effect computed from their turns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.instruments.results import Turns
from bench.instruments.sentinel import is_off
from bench.stats import median

MIN_UNDISTURBED_PAIRS: Final = 4
"""Fewest undisturbed pairs; with fewer of them all pairs count, because the rest would be an accidental selection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The result of one block."""

    effect: float
    """log(head / base): the median over neighbouring turns."""
    base: float
    """Median seconds per call of the base arm."""
    head: float
    num_pairs: int
    num_void: int
    """Pairs that were disturbed."""
    are_voids_kept: bool
    begins: str
    """Arm that took the first turn; part of verdict.json."""
    drift: float
    """Effect of the unpaired medians less the paired effect: the machine drift that pairing removed."""


def summarize_block(base: Turns, head: Turns, *, begins: str) -> Block:
    """Summarize the turns of two arms (results of `bench.instruments.turns`). Raises ValueError without turns."""
    num = min(len(base.seconds), len(head.seconds))
    if not num:
        raise ValueError("a block without turns; expected four or more of each arm")
    good = undisturbed_pairs(base, head, num)
    pairs = [(base.seconds[i], head.seconds[i]) for i in range(num)]
    is_enough = sum(good) >= min(MIN_UNDISTURBED_PAIRS, num)
    kept = [pair for pair, ok in zip(pairs, good, strict=True) if ok or not is_enough]
    effect = median([math.log(b / a) for a, b in kept])
    middle = (median([a for a, _ in kept]), median([b for _, b in kept]))
    return Block(
        effect=effect,
        base=middle[0],
        head=middle[1],
        num_pairs=num,
        num_void=num - sum(good),
        are_voids_kept=not is_enough,
        begins=begins,
        drift=math.log(middle[1] / middle[0]) - effect,
    )


def undisturbed_pairs(base: Turns, head: Turns, num: int) -> list[bool]:
    """For each pair of neighbouring turns: True if neither was disturbed. The rules see neither arm nor duration.

    A disturbed turn removes its pair, so that both arms keep equally many.
    """
    readings: Sequence[float] = [*base.sentinels[:num], *head.sentinels[:num]]
    off = is_off(readings)
    return [not (off[i] or off[num + i] or base.reasons[i] or head.reasons[i]) for i in range(num)]
