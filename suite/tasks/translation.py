"""Worker side. Translation from English into a language made up for the purpose, with exact reference translations.

No parallel text can be had without a download. The made-up language has its own dictionary (every token has exactly one
counterpart, a fixed permutation of the vocabulary) and keeps the word order of the source. So the reference translation
of any real sentence is exact, both sides are equally long, and a score near 100% is possible. A model has to learn what
a translator is made of: where to look (cross-attention) and what the word means (the dictionary), and no more, because
small models have to get there in a brief training; with neighbours swapped as well, a tiny one had learned half as
much after 400 steps.
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
    """input_ids, attention_mask and decoder_input_ids [samples, length]; targets: labels [samples, length].

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
    """One example per passage: as much of it as fits; in training it begins anywhere in it."""
    return text_examples(_paired, inputs, source, seed=seed, split=split)


def translated(ids: Sequence[int], vocabulary: int) -> list[int]:
    """The reference translation of ordinary token ids (of a tokenizer with `vocabulary` tokens), equally long."""
    words = dictionary(vocabulary)
    return [words[token] for token in ids]


@cache
def dictionary(vocabulary: int) -> tuple[int, ...]:
    """Token id -> its counterpart; special tokens mean the same in both languages."""
    order = np.random.default_rng(DICTIONARY_SEED).permutation(vocabulary - len(SPECIALS))
    return (*range(len(SPECIALS)), *(int(token) + len(SPECIALS) for token in order))


def loss(module: nn.Module, batch: Batch) -> Tensor:
    """Cross entropy in nats, mean per token of the target (and its END), with teacher forcing."""
    return token_loss(flatten_outputs(module(**batch.inputs))[0], batch.targets["labels"])


@torch.no_grad()
def judge(outputs: list[Tensor], batch: Batch, names: Sequence[str] = ()) -> dict[str, Tensor]:
    """right and tokens, of logits [N, length, vocabulary] with teacher forcing; a NaN is not right."""
    scores, tokens = outputs[0].max(dim=-1)
    labels = batch.targets["labels"].to(tokens.device)
    right = (tokens == labels) & ~scores.isnan()  # no token is IGNORED
    return {"right": right.sum(), "tokens": (labels != IGNORED).sum()}


def summarize(parts: Sequence[dict[str, Tensor]]) -> float:
    """Token accuracy in %; raises ValueError when no token has a label."""
    tokens = sum(int(part["tokens"]) for part in parts)
    if not tokens:
        raise ValueError("accuracy over no token: all labels are ignored; expected at least one")
    return 100 * sum(int(part["right"]) for part in parts) / tokens


def trivial(batches: Sequence[Batch]) -> float:
    """The accuracy of the most frequent token, in %."""
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
