"""English text that comes with Python: the language reference, in passages of one or more paragraphs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib import import_module
from typing import Final

from suite.data.samples import Dataset, Text
from suite.data.splits import must_be_split, part_of

CLASSES: Final = ("language", "objects")
"""language: statements, expressions, execution, the debugger. objects: the data model and the built-in types."""

OBJECT_TOPICS: Final = (
    "attribute-access", "bltin-", "callable-types", "context-managers", "customization", "formatstrings",
    "numeric-types", "objects", "sequence-types", "special", "string-methods", "types",
)  # fmt: skip
"""Name prefixes of the topics about objects."""

SHORTEST: Final = 600
"""Characters: paragraphs are joined up to this length, which fills 128 tokens of a large vocabulary."""
BLANK: Final = re.compile(r"\n[ \t]*\n")
"""Separator of paragraphs."""
SALT: Final = "torch-vitals prose 1"
"""Seed of the split; a passage's split depends only on its text."""


class Passages:
    """One split, in memory."""

    def __init__(self, samples: tuple[Text, ...], classes: Sequence[str] = CLASSES) -> None:
        self._samples = samples
        self.classes: Sequence[str] = classes

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int, /) -> Text:
        return self._samples[index]


def load(root: str, split: str) -> Dataset[Text]:
    """Return the passages of `split`, labelled by their group of topics; `root` is unused.

    Raise ValueError for an unknown split.
    """
    must_be_split(split)
    return Passages(tuple(s for s in _passages() if part_of(s.text, SALT) == split))


@cache
def _passages() -> tuple[Text, ...]:
    """Return all passages, topic by topic, sorted by name."""
    return tuple(
        Text(text=text, label=int(name.startswith(OBJECT_TOPICS)))
        for name, blocks in _topics().items()
        for text in joined(blocks)
    )


def paragraphs() -> Iterator[str]:
    """Return all paragraphs from which the passages are made."""
    return (paragraph for blocks in _topics().values() for paragraph in blocks)


@cache
def _topics() -> dict[str, tuple[str, ...]]:
    """Return topic -> paragraphs, sorted by name, each paragraph only once."""
    topics: dict[str, str] = import_module("pydoc_data.topics").topics
    seen: set[str] = set()
    return {name: tuple(paragraphs_of(topics[name], seen)) for name in sorted(topics)}


def paragraphs_of(document: str, seen: set[str]) -> Iterator[str]:
    """Yield the document's paragraphs on one line each, without those in `seen` (topics overlap)."""
    for block in BLANK.split(document):
        paragraph = " ".join(block.split())
        if paragraph and paragraph not in seen and not set(paragraph) <= set("*=-~^ "):
            seen.add(paragraph)
            yield paragraph


def joined(blocks: Iterable[str]) -> Iterator[str]:
    """Join neighbouring paragraphs to SHORTEST characters or more; the last passage may be shorter."""
    held: list[str] = []
    for paragraph in blocks:
        held.append(paragraph)
        if sum(map(len, held)) >= SHORTEST:
            yield " ".join(held)
            held.clear()
    if held:
        yield " ".join(held)
