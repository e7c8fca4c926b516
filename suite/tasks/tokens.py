"""Worker side. From text to token ids of one length: what the text tasks share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor

from suite.data.bpe import END, PAD, tokenizer
from suite.data.samples import Dataset, Text
from suite.data.sources import Source
from suite.tasks.examples import Examples, must_hold

if TYPE_CHECKING:
    from tokenizers import Tokenizer

IGNORED: Final = -100
"""Label that cross entropy leaves out (its default `ignore_index`)."""


def text_examples(
    make: Any, inputs: Mapping[str, Any], source: Source, *, seed: int, split: str
) -> Examples:
    """The passages of the source through `make(data, index, rng, tokenizer=, length=, cropping=)`.

    `inputs` gives `vocabulary` (of the model) and `length` (tokens per sample). In training, what a task sees of a
    passage begins anywhere in it, elsewhere in every epoch: the usual augmentation of a text that is longer than the
    model's input. In testing it begins at the beginning.
    """
    data: Dataset[Text] = import_module(f"suite.data.{source.name}").load(source.root, split)
    must_hold(data, source, split, "texts with a label")
    made = partial(
        make,
        tokenizer=tokenizer(inputs["vocabulary"]),
        length=inputs["length"],
        cropping=split == "train",
    )
    return Examples(data=data, make=made, seed=seed, indices=range(len(data)))


def facts_of(inputs: Mapping[str, Any], source: Source, split: str, how: str) -> dict[str, Any]:
    """What a reader has to know about a text batch; JSON-able."""
    size = tokenizer(inputs["vocabulary"]).get_vocab_size()
    return {
        "data": source.name,
        "split": split,
        "length": inputs["length"],
        "tokenizer": f"byte-level BPE of {size} tokens, trained on prose",
        "preprocessing": how,
    }


def ids_of(text: str, tokenizer: Tokenizer) -> list[int]:
    """The text's ordinary tokens: no special ones are added."""
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    return ids


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
    tokenizer: Tokenizer,
    length: int,
    cropping: bool,
) -> list[int]:
    """`length` tokens without padding: the passage at `index`, END, the next passage and so on."""
    ids = [*ids_of(cropped(data[index].text, rng, cropping), tokenizer), END]
    while len(ids) < length:
        index = (index + 1) % len(data)
        ids += [*ids_of(data[index].text, tokenizer), END]
    return ids[:length]


def padded(ids: Sequence[int], length: int, fill: int = PAD) -> Tensor:
    """[length] int64: the ids, cut or filled up on the right."""
    kept = list(ids[:length])
    return torch.tensor(kept + [fill] * (length - len(kept)))


def mask_of(num_tokens: int, length: int) -> Tensor:
    """[length] int64: 1 where a token is, 0 where padding is."""
    return (torch.arange(length) < num_tokens).long()
