"""Worker side. From text to token ids of one length: what the text tasks share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache, partial
from importlib import import_module
from itertools import chain
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from suite.data.bpe import END, PAD, tokenizer
from suite.data.samples import Dataset, Text
from suite.data.sources import Source
from suite.data.splits import TRAIN_SPLIT
from suite.results.step_result import DataSet
from suite.tasks.examples import Examples, must_hold

IGNORED: Final = -100
"""Label that cross entropy leaves out (its default `ignore_index`)."""
WORDS: Final = 2**16
"""Words whose tokens are remembered, about 20 MB at most."""


def text_examples(
    make: Any, inputs: Mapping[str, Any], source: Source, *, seed: int, split: str
) -> Examples:
    """The passages of the source through `make(data, index, rng, vocabulary=, length=, cropping=)`.

    `inputs` gives `vocabulary` (of the model) and `length` (tokens per sample). In training, what a task sees of a
    passage begins anywhere in it, elsewhere in every epoch: the usual augmentation of a text that is longer than the
    model's input. In validation and in testing it begins at the beginning.
    """
    data: Dataset[Text] = import_module(f"suite.data.{source.name}").load(source.root, split)
    must_hold(data, source, split, "texts with a label")
    made = partial(
        make,
        vocabulary=inputs["vocabulary"],
        length=inputs["length"],
        cropping=split == TRAIN_SPLIT,
    )
    return Examples(data=data, make=made, seed=seed, indices=range(len(data)))


def data_set(inputs: Mapping[str, Any], source: Source, split: str, how: str) -> DataSet:
    """Where a batch of text came from."""
    return DataSet(
        name=source.name,
        split=split,
        length=inputs["length"],
        tokenizer=f"byte-level BPE of {num_tokens(inputs['vocabulary'])} tokens, trained on prose",
        preprocessing=how,
    )


@cache
def num_tokens(vocabulary: int) -> int:
    """Tokens of the tokenizer for a model with `vocabulary` of them: as many, or fewer."""
    size: int = tokenizer(vocabulary).get_vocab_size()
    return size


@lru_cache(maxsize=WORDS)
def spelled(word: str, vocabulary: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The tokens of a word, with the blank before it if it has one: ids, and where in the word each ends.

    Remembered, because the tokenizer takes 10 us and more for a word, and a training sees few words very often.
    """
    encoded = tokenizer(vocabulary).encode(word, add_special_tokens=False)
    return tuple(encoded.ids), tuple(end for _, end in encoded.offsets)


def ids_of(text: str, vocabulary: int, most: int | None = None) -> list[int]:
    """The text's ordinary tokens, the first `most` of them: no special ones are added.

    They are the tokenizer's own, word by word: a token of it never goes beyond a blank (but for blanks in a row at the
    end of a text, which no passage has).
    """
    if most is None:
        return list(chain.from_iterable(spelled(word, vocabulary)[0] for word in words_of(text)))
    ids: list[int] = []
    for word in words_of(text, most + 1):
        if len(ids) >= most:
            break
        ids += spelled(word, vocabulary)[0]
    return ids[:most]


def words_of(text: str, most: int = -1) -> Iterator[str]:
    """The words between blanks, each but the first with the blank before it; in one piece what follows the first `most`
    blanks.
    """
    blank = ""
    for word in text.split(" ", most):
        yield blank + word
        blank = " "


def cropped(text: str, rng: np.random.Generator, cropping: bool) -> str:
    """The text from a word on that lies anywhere in its first three quarters; the whole text unless `cropping`."""
    if not cropping:
        return text
    return text[text.find(" ", int(rng.integers(0, 3 * len(text) // 4 + 1))) + 1 :]


def packed(
    data: Dataset[Text],
    index: int,
    rng: np.random.Generator,
    *,
    vocabulary: int,
    length: int,
    cropping: bool,
) -> list[int]:
    """`length` tokens without padding: the passage at `index`, END, the next passage and so on."""
    ids = [*ids_of(cropped(data[index].text, rng, cropping), vocabulary, length), END]
    while len(ids) < length:
        index = (index + 1) % len(data)
        ids += [*ids_of(data[index].text, vocabulary, length), END]
    return ids[:length]


def padded(ids: Sequence[int], length: int, fill: int = PAD) -> Tensor:
    """[length] int64: the ids, cut or filled up on the right."""
    # By way of NumPy: torch reads a list five times as slowly.
    row = np.full(length, fill, np.int64)
    kept = ids[:length]
    row[: len(kept)] = kept
    return torch.from_numpy(row)


def mask_of(num_tokens: int, length: int) -> Tensor:
    """[length] int64: 1 where a token is, 0 where padding is."""
    row = np.zeros(length, np.int64)
    row[:num_tokens] = 1
    return torch.from_numpy(row)
