"""Folder data set `endings`: the second task on a folder of reviews. How other reviews of it end.

A model that reads a hundred tokens has learnt in `imdb` how reviews begin; they end in other words, with the same
labels. The training reviews are those that `imdb` sets aside: the first task has seen none of them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from suite.data import imdb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from suite.data.samples import Dataset, Text

WORDS: Final = 60
"""Words that are left of a review; a shorter one stays whole."""


class Endings:
    """One split, the last words of each review."""

    def __init__(self, reviews: Dataset[Text]) -> None:
        self._reviews = reviews
        self.classes: Sequence[str] = reviews.classes

    def __len__(self) -> int:
        return len(self._reviews)

    def __getitem__(self, index: int, /) -> Text:
        review = self._reviews[index]
        return replace(review, text=" ".join(review.text.split()[-WORDS:]))


def load(root: str, split: str) -> Endings:
    """The endings of that split; raises ValueError for an unknown split, DataError as `imdb` does."""
    return Endings(imdb.aside(root, split))
