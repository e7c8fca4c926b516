"""Worker side. Edit distance: the fewest insertions, deletions and substitutions from one text to another."""

from __future__ import annotations

from collections.abc import Hashable, Sequence


def edit_distance(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """Return the Levenshtein distance of two strings or lists, by Myers' bit vectors (1999) as given by Hyyrö (2001).

    A column of the classic table is two integers with one bit per row: where the distance grows by one from the row
    above (`rise`) and where it falls by one (`fall`). Python's integers have as many bits as `one` has letters.
    """
    if not one:
        return len(other)
    places: dict[Hashable, int] = {}
    for row, letter in enumerate(one):
        places[letter] = places.get(letter, 0) | 1 << row
    every, last = (1 << len(one)) - 1, 1 << (len(one) - 1)
    rise, fall, distance = every, 0, len(one)
    for letter in other:
        same = places.get(letter, 0)
        free = ((same & rise) + rise ^ rise) | same | fall  # rows whose diagonal step is free
        right_rise = (fall | ~(free | rise)) & every
        right_fall = rise & free
        distance += bool(right_rise & last) - bool(right_fall & last)
        right_rise = right_rise << 1 | 1
        right_fall <<= 1
        rise = (right_fall | ~(free | right_rise)) & every
        fall = right_rise & free & every
    return distance
