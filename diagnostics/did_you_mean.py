"""The clause that an error about an unknown word ends with: the closest known words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

MAX_LISTED: Final = 40
"""Known words named if none is close."""


def did_you_mean(word: str, known: Iterable[str], *, is_listed: bool = True) -> str:
    """Return a clause to append to an error: the closest known words, else the first of all.

    With `is_listed` False the clause is empty where none is close: the known words are too many, or shown elsewhere.
    """
    import difflib  # imported for errors alone; the doctor's start is timed

    words = list(known)
    near = difflib.get_close_matches(word, words, n=3, cutoff=0.5)
    if near:
        return f"; did you mean {' or '.join(near)}?"
    if not is_listed or not words:
        return ""
    more = " ..." if len(words) > MAX_LISTED else ""
    return f"; known: {', '.join(words[:MAX_LISTED])}{more}"
