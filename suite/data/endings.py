"""Folder data set `endings`: the second task on a folder of reviews: the ends of other reviews.

A model that reads a hundred tokens has learnt in `imdb` how reviews begin; their ends use other words with the same
labels. The training reviews are those that `imdb` sets aside, unseen by the first task.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from suite.data import imdb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from suite.data.samples import Dataset, Text

WORDS: Final = 60
"""Words kept from the end of a review; a shorter one is kept whole."""


class Endings:
    """One split: the last words of each review."""

    def __init__(self, reviews: Dataset[Text]) -> None:
        self._reviews = reviews
        self.classes: Sequence[str] = reviews.classes

    def __len__(self) -> int:
        return len(self._reviews)

    def __getitem__(self, index: int, /) -> Text:
        review = self._reviews[index]
        return replace(review, text=" ".join(review.text.split()[-WORDS:]))


def load(root: str, split: str) -> Endings:
    """Return the endings of a split; raise ValueError for an unknown split, DataError as `imdb` does."""
    return Endings(imdb.aside(root, split))
