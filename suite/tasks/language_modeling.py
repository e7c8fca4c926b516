"""Worker side. Language modelling: guess every next token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from suite.data.bpe import START
from suite.data.samples import Dataset, Text
from suite.data.sources import Source
from suite.flat_tensors import flatten_outputs
from suite.tasks.batch import Batch
from suite.tasks.examples import Example, Examples, sampled
from suite.tasks.perplexity import perplexity, surprise, token_loss, unigram_perplexity
from suite.tasks.tokens import data_set, packed, text_examples


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
        data=data_set(inputs, source, split, "packed passages"),
    )


def examples(inputs: Mapping[str, Any], source: Source, *, seed: int, split: str) -> Examples:
    """One example per passage, filled up with the passages after it; in training it begins anywhere in it."""
    return text_examples(_continued, inputs, source, seed=seed, split=split)


def loss(module: nn.Module, batch: Batch) -> Tensor:
    """Cross entropy in nats, mean per token."""
    return token_loss(flatten_outputs(module(**batch.inputs))[0], batch.targets["labels"])


def judge(outputs: list[Tensor], batch: Batch, names: Sequence[str] = ()) -> dict[str, Tensor]:
    """nll and tokens of logits [N, length, vocabulary], which are not kept."""
    return surprise(outputs[0], batch.targets["labels"])


def summarize(parts: Sequence[dict[str, Tensor]]) -> float:
    """Perplexity."""
    return perplexity(parts)


def trivial(batches: Sequence[Batch]) -> float:
    """The perplexity of guessing tokens by their frequency."""
    return unigram_perplexity(batches)


def _continued(
    data: Dataset[Text],
    index: int,
    rng: np.random.Generator,
    *,
    vocabulary: int,
    length: int,
    cropping: bool,
) -> Example:
    taken = packed(data, index, rng, vocabulary=vocabulary, length=length, cropping=cropping)
    ids = torch.from_numpy(np.array([START, *taken]))
    return Example(
        inputs={"input_ids": ids[:-1].clone()},
        targets={"labels": ids[1:].clone()},
        num_tokens=length,
    )
