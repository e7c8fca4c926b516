"""Worker side. Masked language modelling: predict the masked tokens (Devlin et al. 2019, section 3.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from suite.data.bpe import MASK, SPECIALS, START
from suite.data.samples import Dataset, Text
from suite.data.sources import Source
from suite.flat_tensors import flatten_outputs
from suite.tasks.batch import Batch
from suite.tasks.examples import Example, Examples, sampled
from suite.tasks.perplexity import perplexity, surprise, token_loss, unigram_perplexity
from suite.tasks.tokens import IGNORED, data_set, mask_of, num_tokens, packed, text_examples

CHOSEN: Final = 0.15
"""Share of the tokens to predict."""
HIDDEN: Final = 0.8
"""Share of these replaced by the mask; half of the rest is replaced by a random token, half unchanged."""


def batch(
    inputs: Mapping[str, Any], source: Source, *, num_samples: int, seed: int, split: str
) -> Batch:
    """Return input_ids and attention_mask [samples, length]; targets: labels, IGNORED where not chosen."""
    how = "packed passages; 15% of the tokens chosen: 80% masked, 10% random, 10% kept"
    return sampled(
        examples(inputs, source, seed=seed, split=split),
        num_samples=num_samples,
        data=data_set(inputs, source, split, how),
    )


def examples(inputs: Mapping[str, Any], source: Source, *, seed: int, split: str) -> Examples:
    """Return one example per passage; each epoch masks other tokens."""
    return text_examples(_masked, inputs, source, seed=seed, split=split)


def loss(module: nn.Module, batch: Batch) -> Tensor:
    """Return the cross entropy in nats, mean per chosen token."""
    return token_loss(flatten_outputs(module(**batch.inputs))[0], batch.targets["labels"])


def judge(outputs: list[Tensor], batch: Batch, names: Sequence[str] = ()) -> dict[str, Tensor]:
    """Return nll and tokens of logits [N, length, vocabulary], which are not kept."""
    return surprise(outputs[0], batch.targets["labels"])


def summarize(parts: Sequence[dict[str, Tensor]]) -> float:
    """Return the perplexity over the chosen tokens."""
    return perplexity(parts)


def trivial(batches: Sequence[Batch]) -> float:
    """Return the perplexity of predicting tokens by their frequency."""
    return unigram_perplexity(batches)


def _masked(
    data: Dataset[Text],
    index: int,
    rng: np.random.Generator,
    *,
    vocabulary: int,
    length: int,
    cropping: bool,
) -> Example:
    taken = packed(data, index, rng, vocabulary=vocabulary, length=length - 1, cropping=cropping)
    true = np.array([START, *taken])
    chosen = (rng.random(length) < CHOSEN) & (true >= len(SPECIALS))
    if not chosen.any():  # a loss over no tokens would be NaN
        chosen[int(rng.choice(np.flatnonzero(true >= len(SPECIALS))))] = True
    fate = rng.random(length)
    shown = np.where(chosen & (fate < HIDDEN), MASK, true)
    random = rng.integers(len(SPECIALS), num_tokens(vocabulary), length)
    shown = np.where(chosen & (fate >= (1 + HIDDEN) / 2), random, shown)
    return Example(
        inputs={"input_ids": torch.from_numpy(shown), "attention_mask": mask_of(length, length)},
        targets={"labels": torch.from_numpy(np.where(chosen, true, IGNORED))},
        num_tokens=length,
    )
