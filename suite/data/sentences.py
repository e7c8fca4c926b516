"""Embedded data set `sentences`: the second task of text classifiers: single sentences of the embedded prose.

Passages of a hundred words have taught the first task which words belong to a class; a sentence has a fifth of them.
Sentences for training are those of the passages that the first task was trained on, those for testing are of passages
that it has never seen; a sentence that both have is left to training.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from suite.data import prose
from suite.data.samples import Dataset, Text
from suite.data.splits import SPLITS, must_be_split

END: Final = re.compile(r"(?<=[.:;!?])\s+(?=[A-Z])")
"""Space behind a sentence; that of an abbreviation goes on in lower case."""
FEWEST_WORDS: Final = 8
"""A shorter one says little of its topic."""


def load(root: str, split: str) -> Dataset[Text]:
    """Return the sentences of a split, labelled as their passages, each once; `root` is unused.

    Raise ValueError for an unknown split.
    """
    must_be_split(split)
    return prose.Passages(_splits()[split])


@cache
def _splits() -> dict[str, tuple[Text, ...]]:
    """Return split -> sentences that no split before it has."""
    seen: set[str] = set()
    found: dict[str, tuple[Text, ...]] = {}
    for split in SPLITS:
        passages = prose.load("", split)
        made = (one for index in range(len(passages)) for one in sentences_of(passages[index]))
        new = {one.text: one for one in made if one.text not in seen}
        seen |= set(new)
        found[split] = tuple(new.values())
    return found


def sentences_of(passage: Text) -> Iterator[Text]:
    """Yield the sentences of a passage that have FEWEST_WORDS or more."""
    for text in END.split(passage.text):
        if len(text.split()) >= FEWEST_WORDS:
            yield Text(text=text, label=passage.label)
