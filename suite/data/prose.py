"""The English text that comes with Python itself: its language reference, in passages of a paragraph or more."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from typing import Final

from suite.data.samples import Dataset, Text

CLASSES: Final = ("language", "objects")
"""language: statements, expressions, execution, the debugger. objects: the data model and the built-in types."""

OBJECT_TOPICS: Final = (
    "attribute-access", "bltin-", "callable-types", "context-managers", "customization", "formatstrings",
    "numeric-types", "objects", "sequence-types", "special", "string-methods", "types",
)  # fmt: skip
"""How the names of the topics about objects begin."""

SHORTEST: Final = 600
"""Characters: paragraphs are joined until a passage has as many, which fills 128 tokens of a large vocabulary."""
TEST_SHARE: Final = 0.2
SALT: Final = "torch-vitals prose 1"
"""Seed of the split; a passage's place in it depends on nothing but its own text."""


class Passages:
    """One split of the prose."""

    classes: Sequence[str] = CLASSES

    def __init__(self, samples: tuple[Text, ...]) -> None:
        self._samples = samples

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int, /) -> Text:
        return self._samples[index]


def load(root: str, split: str) -> Dataset[Text]:
    """The passages of `split` ("train" or "test"), labelled by the group of topics they are from; `root` is not used.

    Raises ValueError for another split.
    """
    if split not in ("train", "test"):
        raise ValueError(f"prose has no split {split!r}; expected 'train' or 'test'")
    return Passages(tuple(s for s in _passages() if is_test(s.text) == (split == "test")))


def is_test(text: str) -> bool:
    """True for the fifth of all passages that is never trained on."""
    digest = hashlib.sha256((SALT + text).encode()).digest()
    return int.from_bytes(digest[:4], "big") < TEST_SHARE * 2**32


@cache
def _passages() -> tuple[Text, ...]:
    """All passages, topic by topic in the order of their names."""
    topics: dict[str, str] = import_module("pydoc_data.topics").topics
    seen: set[str] = set()
    return tuple(
        Text(text=text, label=int(name.startswith(OBJECT_TOPICS)))
        for name in sorted(topics)
        for text in _joined(_paragraphs(topics[name], seen))
    )


def _paragraphs(topic: str, seen: set[str]) -> Iterator[str]:
    """The topic's paragraphs on one line each, without those that an earlier topic had: topics overlap."""
    for block in topic.split("\n\n"):
        paragraph = " ".join(block.split())
        if paragraph and paragraph not in seen and not set(paragraph) <= set("*=-~^ "):
            seen.add(paragraph)
            yield paragraph


def _joined(paragraphs: Iterator[str]) -> Iterator[str]:
    """Neighbours joined to SHORTEST characters or more; what is left over at a topic's end stays as short as it is."""
    held: list[str] = []
    for paragraph in paragraphs:
        held.append(paragraph)
        if sum(map(len, held)) >= SHORTEST:
            yield " ".join(held)
            held.clear()
    if held:
        yield " ".join(held)
