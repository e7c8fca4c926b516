"""Worker side. Prompts: ids of real text, of any length and number."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import torch
from torch import Tensor

from suite.data.bpe import SMALLEST, START
from suite.data.samples import Dataset, Text
from suite.data.sources import Source
from suite.data.splits import TEST_SPLIT
from suite.tasks.tokens import num_tokens, packed

RANDOM: str = "random ids: the vocabulary is too small for text"


def text_prompts(source: Source, *, vocabulary: int, length: int, number: int, seed: int) -> Tensor:
    """Return ids [number, length] of different passages, each behind START and filled up with the passages after it.

    Below the smallest vocabulary of our tokenizer the ids are random.
    """
    rng = np.random.default_rng(seed)
    if vocabulary < SMALLEST:
        return torch.from_numpy(rng.integers(0, vocabulary, (number, length)))
    data: Dataset[Text] = import_module(f"suite.data.{source.name}").load(source.root, TEST_SPLIT)
    places = rng.permutation(len(data))
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


def described(vocabulary: int) -> str:
    """Return where the ids come from, in a few words."""
    if vocabulary < SMALLEST:
        return RANDOM
    return f"byte-level BPE of {num_tokens(vocabulary)} tokens, trained on prose"
