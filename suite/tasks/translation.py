"""Worker side. Translation from English into an artificial language, with exact reference translations.

No parallel text is available without a download. The artificial language has its own dictionary (a fixed permutation of
the vocabulary, one counterpart per token) and the word order of the source. The reference translation of any sentence
is therefore exact and equally long, and a score near 100% is possible. A model has to learn only a translator's
essentials, where to look (cross-attention) and the word's meaning (the dictionary), because small models must get there
in a brief training; with neighbours swapped as well, a tiny one learned half as much in 400 steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from suite.data.bpe import END, SPECIALS, START
from suite.data.samples import Dataset, Text
from suite.data.sources import Source
from suite.flat_tensors import flatten_outputs
from suite.tasks.batch import Batch
from suite.tasks.examples import Example, Examples, sampled
from suite.tasks.perplexity import labels_in, token_loss
from suite.tasks.tokens import (
    IGNORED,
    cropped,
    data_set,
    ids_of,
    mask_of,
    num_tokens,
    padded,
    text_examples,
)

DICTIONARY_SEED: Final = 1954
"""The year of the first public machine translation; any number would do, but it must not change."""


def batch(
    inputs: Mapping[str, Any], source: Source, *, num_samples: int, seed: int, split: str
) -> Batch:
    """Return input_ids, attention_mask and decoder_input_ids [samples, length]; targets: labels [samples, length].

    The decoder's input is START and the target, the labels are the target and END (teacher forcing); padding of the
    labels is IGNORED. `num_tokens` counts both sides.
    """
    how = "a made-up target language: permuted dictionary, same word order"
    return sampled(
        examples(inputs, source, seed=seed, split=split),
        num_samples=num_samples,
        data=data_set(inputs, source, split, how),
    )


def examples(inputs: Mapping[str, Any], source: Source, *, seed: int, split: str) -> Examples:
    """Return one example per passage: as much of it as fits; in training it starts at a random word."""
    return text_examples(_paired, inputs, source, seed=seed, split=split)


def translated(ids: Sequence[int], vocabulary: int) -> list[int]:
    """Return the reference translation of ordinary token ids (tokenizer of `vocabulary` tokens), equally long."""
    words = dictionary(vocabulary)
    return [words[token] for token in ids]


@cache
def dictionary(vocabulary: int) -> tuple[int, ...]:
    """Return token id -> its counterpart; special tokens are the same in both languages."""
    order = np.random.default_rng(DICTIONARY_SEED).permutation(vocabulary - len(SPECIALS))
    return (*range(len(SPECIALS)), *(int(token) + len(SPECIALS) for token in order))


def loss(module: nn.Module, batch: Batch) -> Tensor:
    """Return the cross entropy in nats, mean per token of the target (and its END), with teacher forcing."""
    return token_loss(flatten_outputs(module(**batch.inputs))[0], batch.targets["labels"])


@torch.no_grad()
def judge(outputs: list[Tensor], batch: Batch, names: Sequence[str] = ()) -> dict[str, Tensor]:
    """Return right and tokens of logits [N, length, vocabulary] with teacher forcing; NaN counts as wrong."""
    scores, tokens = outputs[0].max(dim=-1)
    labels = batch.targets["labels"].to(tokens.device)
    right = (tokens == labels) & ~scores.isnan()  # no token equals IGNORED
    return {"right": right.sum(), "tokens": (labels != IGNORED).sum()}


def summarize(parts: Sequence[dict[str, Tensor]]) -> float:
    """Return the token accuracy in %; raise ValueError if no token has a label."""
    tokens = sum(int(part["tokens"]) for part in parts)
    if not tokens:
        raise ValueError("accuracy over no token: all labels are ignored; expected at least one")
    return 100 * sum(int(part["right"]) for part in parts) / tokens


def trivial(batches: Sequence[Batch]) -> float:
    """Return the accuracy in % of the most frequent token."""
    labels = labels_in(batches)
    return 100 * int(torch.bincount(labels).max()) / len(labels)


def _paired(
    data: Dataset[Text],
    index: int,
    rng: np.random.Generator,
    *,
    vocabulary: int,
    length: int,
    cropping: bool,
) -> Example:
    text = cropped(data[index].text, rng, cropping)
    ids = ids_of(text, vocabulary, length - 1)
    target = translated(ids, num_tokens(vocabulary))
    return Example(
        inputs={
            "input_ids": padded([*ids, END], length),
            "attention_mask": mask_of(len(ids) + 1, length),
            "decoder_input_ids": padded([START, *target], length),
        },
        targets={"labels": padded([*target, END], length, fill=IGNORED)},
        num_tokens=2 * (len(ids) + 1),
    )
