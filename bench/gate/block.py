"""Block: two fresh processes, one per arm, and the one effect that their turns give."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bench.instruments.sentinel import is_off
from bench.stats import median

MIN_UNDISTURBED_PAIRS: Final = 4
"""Undisturbed pairs that are enough; with fewer all pairs count, for what is left would be a chance selection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What one block says of a row."""

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
    """Arm that had the first turn."""
    drift: float
    """How far the two arms' medians apart would have strayed from the paired effect: what pairing took out."""


def summarize_block(base: Mapping[str, Any], head: Mapping[str, Any], *, begins: str) -> Block:
    """The block of two arms' turns, as `bench.instruments.turns` returns them. Raises ValueError for no turns."""
    num = min(len(base["seconds"]), len(head["seconds"]))
    if not num:
        raise ValueError("a block without turns; expected four or more of each arm")
    good = undisturbed_pairs(base, head, num)
    pairs = [(base["seconds"][i], head["seconds"][i]) for i in range(num)]
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


def undisturbed_pairs(base: Mapping[str, Any], head: Mapping[str, Any], num: int) -> list[bool]:
    """For each pair of neighbouring turns, whether nothing disturbed either; no rule knows the arm or the time.

    A pair counts whole or not at all, so that a void never takes a turn from one arm alone.
    """
    readings: Sequence[float] = [*base["sentinels"][:num], *head["sentinels"][:num]]
    off = is_off(readings)
    return [
        not (off[i] or off[num + i] or base["reasons"][i] or head["reasons"][i]) for i in range(num)
    ]
