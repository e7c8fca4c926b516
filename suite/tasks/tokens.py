"""Worker side. Token ids of fixed length from text, shared by the text tasks."""

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
"""Label that cross entropy ignores (its default `ignore_index`)."""
WORDS: Final = 2**16
"""Maximum words whose tokens are cached, about 20 MB."""


def text_examples(
    make: Any, inputs: Mapping[str, Any], source: Source, *, seed: int, split: str
) -> Examples:
    """Return the passages of the source as examples, by `make(data, index, rng, vocabulary=, length=, cropping=)`.

    `inputs` has `vocabulary` (of the model) and `length` (tokens per sample). In training, a passage starts at a random
    word, different in each epoch: the usual augmentation of texts longer than the model's input. In validation and
    testing it starts at its beginning.
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
    """Return the origin of a batch of text."""
    return DataSet(
        name=source.name,
        split=split,
        length=inputs["length"],
        tokenizer=f"byte-level BPE of {num_tokens(inputs['vocabulary'])} tokens, trained on prose",
        preprocessing=how,
    )


@cache
def num_tokens(vocabulary: int) -> int:
    """Return the tokenizer's number of tokens for a model of size `vocabulary`: as many, or fewer."""
    size: int = tokenizer(vocabulary).get_vocab_size()
    return size


@lru_cache(maxsize=WORDS)
def spelled(word: str, vocabulary: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the tokens of a word, with its leading space if any: ids, and the end of each within the word.

    Cached, because the tokenizer takes 10 us or more per word, and training repeats few words very often.
    """
    encoded = tokenizer(vocabulary).encode(word, add_special_tokens=False)
    return tuple(encoded.ids), tuple(end for _, end in encoded.offsets)


def ids_of(text: str, vocabulary: int, most: int | None = None) -> list[int]:
    """Return the text's ordinary tokens, the first `most` of them, without special tokens.

    They equal the tokenizer's own although computed word by word: no token spans a space (except for consecutive spaces
    at the end of a text, which no passage has).
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
    """Yield the words, each but the first with its leading space; after `most` spaces, the rest in one piece."""
    blank = ""
    for word in text.split(" ", most):
        yield blank + word
        blank = " "


def cropped(text: str, rng: np.random.Generator, cropping: bool) -> str:
    """Return the text from a random word in its first three quarters on; the whole text unless `cropping`."""
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
    """Return `length` tokens without padding: the passage at `index`, END, the next passage and so on."""
    ids = [*ids_of(cropped(data[index].text, rng, cropping), vocabulary, length), END]
    while len(ids) < length:
        index = (index + 1) % len(data)
        ids += [*ids_of(data[index].text, vocabulary, length), END]
    return ids[:length]


def padded(ids: Sequence[int], length: int, fill: int = PAD) -> Tensor:
    """Return the ids as [length] int64, truncated or padded on the right."""
    # Through NumPy: torch converts a list five times as slowly.
    row = np.full(length, fill, np.int64)
    kept = ids[:length]
    row[: len(kept)] = kept
    return torch.from_numpy(row)


def mask_of(num_tokens: int, length: int) -> Tensor:
    """Return [length] int64: 1 for tokens, 0 for padding."""
    row = np.zeros(length, np.int64)
    row[:num_tokens] = 1
    return torch.from_numpy(row)
