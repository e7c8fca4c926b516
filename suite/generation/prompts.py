"""Worker side. Prompts: ids of real text, of any length and number."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from suite.data.bpe import SMALLEST, START
from suite.data.samples import Dataset, Text
from suite.data.sources import Source
from suite.data.splits import TEST_SPLIT
from suite.tasks.tokens import num_tokens, packed

if TYPE_CHECKING:
    from tokenizers import Tokenizer

RANDOM: str = "random ids: the vocabulary is too small for text"


def text_prompts(
    source: Source,
    *,
    vocabulary: int,
    length: int,
    number: int,
    seed: int,
    tokens: Tokenizer | None = None,
) -> Tensor:
    """Return ids [number, length] of different passages, each behind START and filled up with the passages after it.

    `tokens` is the tokenizer of the weights, with a start of its own; by default ours. Below its smallest vocabulary
    the ids are random.
    """
    rng = np.random.default_rng(seed)
    if tokens is None and vocabulary < SMALLEST:
        return torch.from_numpy(rng.integers(0, vocabulary, (number, length)))
    data: Dataset[Text] = import_module(f"suite.data.{source.name}").load(source.root, TEST_SPLIT)
    places = rng.permutation(len(data))
    if tokens is not None:
        own = [_encoded(tokens, data, int(places[r % len(places)]), length) for r in range(number)]
        return torch.from_numpy(np.array(own, np.int64))
    rows = [
        [
            START,
            *packed(
                data,
                int(places[row % len(places)]),
                rng,
                vocabulary=vocabulary,
                length=length,
                cropping=False,
            ),
        ][:length]
        for row in range(number)
    ]
    return torch.from_numpy(np.array(rows, np.int64))


def _encoded(tokens: Tokenizer, data: Dataset[Text], index: int, length: int) -> list[int]:
    """Return `length` ids of the passage and of those after it."""
    ids: list[int] = []
    while len(ids) < length:
        ids += tokens.encode(data[index].text, add_special_tokens=not ids).ids
        index = (index + 1) % len(data)
    return ids[:length]


def described(vocabulary: int, tokens: Tokenizer | None = None) -> str:
    """Return where the ids come from, in a few words."""
    if tokens is not None:
        return f"the weights' own tokenizer of {tokens.get_vocab_size()} tokens"
    if vocabulary < SMALLEST:
        return RANDOM
    return f"byte-level BPE of {num_tokens(vocabulary)} tokens, trained on prose"
