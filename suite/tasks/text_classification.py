"""Worker side. Text classification: one label for a passage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from suite.data.bpe import END, START
from suite.data.errors import DataError
from suite.data.samples import Dataset, Text
from suite.data.sources import Source
from suite.tasks.batch import Batch
from suite.tasks.examples import Example, Examples, sampled
from suite.tasks.tokens import cropped, facts_of, ids_of, mask_of, padded, text_examples

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def batch(
    inputs: Mapping[str, Any], source: Source, *, num_samples: int, seed: int, split: str
) -> Batch:
    """input_ids and attention_mask [samples, length]; targets: labels [samples]."""
    return sampled(
        examples(inputs, source, seed=seed, split=split),
        num_samples=num_samples,
        facts=facts_of(inputs, source, split, "cut to the length, padded on the right"),
    )


def examples(inputs: Mapping[str, Any], source: Source, *, seed: int, split: str) -> Examples:
    """One example per text; in training it begins at another place of it in every epoch.

    Raises DataError when the data set has more classes than the model's `classes`.
    """
    result = text_examples(_labelled, inputs, source, seed=seed, split=split)
    classes = result.data.classes
    if len(classes) > inputs["classes"]:
        raise DataError(
            f"{source.root or source.name}: {len(classes)} classes ({', '.join(classes)}) for a model"
            f" with {inputs['classes']} outputs; expected as many classes as outputs, or fewer"
        )
    return result


def _labelled(
    data: Dataset[Text],
    index: int,
    rng: np.random.Generator,
    *,
    tokenizer: Tokenizer,
    length: int,
    cropping: bool,
) -> Example:
    sample = data[index]
    text = cropped(sample.text, rng, cropping)
    ids = [START, *ids_of(text, tokenizer)[: length - 2], END]
    return Example(
        inputs={"input_ids": padded(ids, length), "attention_mask": mask_of(len(ids), length)},
        targets={"labels": torch.tensor(sample.label)},
        num_tokens=len(ids),
    )
