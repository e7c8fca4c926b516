"""Worker side. Language modelling: predict every next token."""

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
    """Return input_ids [samples, length]; targets: labels [samples, length], the next token at each position.

    The labels are already shifted: the loss is their cross entropy with the logits. (The library's own
    `model(labels=...)` shifts again and expects input_ids there.)
    """
    return sampled(
        examples(inputs, source, seed=seed, split=split),
        num_samples=num_samples,
        data=data_set(inputs, source, split, "packed passages"),
    )


def examples(inputs: Mapping[str, Any], source: Source, *, seed: int, split: str) -> Examples:
    """Return one example per passage, filled up with the passages after it; in training it starts at a random word."""
    return text_examples(_continued, inputs, source, seed=seed, split=split)


def loss(module: nn.Module, batch: Batch) -> Tensor:
    """Return the cross entropy in nats, mean per token."""
    return token_loss(flatten_outputs(module(**batch.inputs))[0], batch.targets["labels"])


def judge(outputs: list[Tensor], batch: Batch, names: Sequence[str] = ()) -> dict[str, Tensor]:
    """Return nll and tokens of logits [N, length, vocabulary], which are not kept."""
    return surprise(outputs[0], batch.targets["labels"])


def summarize(parts: Sequence[dict[str, Tensor]]) -> float:
    """Return the perplexity."""
    return perplexity(parts)


def trivial(batches: Sequence[Batch]) -> float:
    """Return the perplexity of predicting tokens by their frequency."""
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
