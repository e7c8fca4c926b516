"""Leaves repeated lines out of a long log, so that it can be searched fast."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence

SHORT = 1_000_000
"""Characters up to which a text is searched as it is."""
HEAD, TAIL = 1_000_000, 2_000_000
"""Characters kept from both ends of what is still long without its repetitions."""
MANY = 20_000
"""Number of different lines above which leaving out repetitions saves nothing."""
BEFORE, AFTER = 3, 25
"""Lines kept around a new one: messages have several lines."""

_WITHOUT_DIGITS = {ord(digit): None for digit in "0123456789"}


def condense(text: str) -> tuple[str, Callable[[int], int]]:
    """Return the text without repeated lines, and a function from a position to a line number.

    Two lines are the same when they differ in digits only, as the lines of a progress log do.
    """
    if len(text) <= SHORT:
        return text, lambda position: text.count("\n", 0, position) + 1
    lines = text.split("\n")
    keys = text.translate(_WITHOUT_DIGITS).split("\n")
    # The last assignment wins: going backwards leaves the first line of each kind.
    first = dict(zip(reversed(keys), range(len(keys) - 1, -1, -1), strict=True))
    kept = _ends(lines, range(len(lines)) if len(first) > MANY else _around(first.values(), lines))
    starts, position = [], 0
    for index in kept:
        starts.append(position)
        position += len(lines[index]) + 1
    shorter = "\n".join(lines[index] for index in kept)
    return shorter, lambda place: kept[bisect_right(starts, place) - 1] + 1


def _around(news: Iterable[int], lines: list[str]) -> list[int]:
    kept: list[int] = []
    for index in sorted(news):
        begin = max(index - BEFORE, kept[-1] + 1 if kept else 0)
        kept.extend(range(begin, min(index + AFTER, len(lines))))
    return kept


def _ends(lines: list[str], kept: Sequence[int]) -> list[int]:
    head = _fitting(lines, kept, HEAD)
    tail = _fitting(lines, kept[head:][::-1], TAIL)
    return [*kept[:head], *kept[len(kept) - tail :]]


def _fitting(lines: list[str], kept: Sequence[int], limit: int) -> int:
    """The number of kept lines that fit into `limit` characters."""
    total = 0
    for count, index in enumerate(kept):
        total += len(lines[index]) + 1
        if total > limit:
            return count
    return len(kept)
