"""Worker side. Language modelling: guess every next token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from suite.data.bpe import START
from suite.data.samples import Dataset, Text
from suite.data.sources import Source
from suite.tasks.batch import Batch
from suite.tasks.examples import Example, Examples, sampled
from suite.tasks.tokens import facts_of, packed, text_examples

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def batch(
    inputs: Mapping[str, Any], source: Source, *, num_samples: int, seed: int, split: str
) -> Batch:
    """input_ids [samples, length]; targets: labels [samples, length], the token after each.

    The labels are shifted already: cross entropy of the logits with them is the loss. (The library's own
    `model(labels=...)` shifts once more; it wants input_ids there.)
    """
    return sampled(
        examples(inputs, source, seed=seed, split=split),
        num_samples=num_samples,
        facts=facts_of(inputs, source, split, "packed passages"),
    )


def examples(inputs: Mapping[str, Any], source: Source, *, seed: int, split: str) -> Examples:
    """One example per passage, filled up with the passages after it; in training it begins anywhere in it."""
    return text_examples(_continued, inputs, source, seed=seed, split=split)


def _continued(
    data: Dataset[Text],
    index: int,
    rng: np.random.Generator,
    *,
    tokenizer: Tokenizer,
    length: int,
    cropping: bool,
) -> Example:
    taken = packed(data, index, rng, tokenizer=tokenizer, length=length, cropping=cropping)
    ids = torch.tensor([START, *taken])
    return Example(
        inputs={"input_ids": ids[:-1].clone()},
        targets={"labels": ids[1:].clone()},
        num_tokens=length,
    )
