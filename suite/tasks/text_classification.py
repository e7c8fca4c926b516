"""Worker side. Text classification: one label per passage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from suite.data.bpe import END, START
from suite.data.errors import DataError
from suite.data.samples import Dataset, Text
from suite.data.sources import Source
from suite.flat_tensors import flatten_outputs
from suite.tasks.batch import Batch
from suite.tasks.examples import Example, Examples, sampled
from suite.tasks.tokens import cropped, data_set, ids_of, mask_of, padded, text_examples

HOW: Final = (
    "beginning and end of a passage that is longer than the length, else padded on the right"
)


def batch(
    inputs: Mapping[str, Any], source: Source, *, num_samples: int, seed: int, split: str
) -> Batch:
    """Return input_ids and attention_mask [samples, length]; targets: labels [samples]."""
    return sampled(
        examples(inputs, source, seed=seed, split=split),
        num_samples=num_samples,
        data=data_set(inputs, source, split, HOW),
    )


def examples(inputs: Mapping[str, Any], source: Source, *, seed: int, split: str) -> Examples:
    """Return one example per text; in training it starts at another word in every epoch.

    Raise DataError if the data set has more classes than the model's `classes`.
    """
    result = text_examples(_labelled, inputs, source, seed=seed, split=split)
    classes = result.data.classes
    if len(classes) > inputs["classes"]:
        raise DataError(
            f"{source.root or source.name}: {len(classes)} classes ({', '.join(classes)}) for a model"
            f" with {inputs['classes']} outputs; expected as many classes as outputs, or fewer"
        )
    return result


def loss(module: nn.Module, batch: Batch) -> Tensor:
    """Return the cross entropy in nats, mean per passage."""
    logits = flatten_outputs(module(**batch.inputs))[0]
    return cross_entropy(logits.float(), batch.targets["labels"].to(logits.device))


@torch.no_grad()
def judge(outputs: list[Tensor], batch: Batch, names: Sequence[str] = ()) -> dict[str, Tensor]:
    """Return right and samples of logits [N, classes]; NaN counts as wrong."""
    scores, classes = outputs[0].max(dim=-1)
    right = (classes == batch.targets["labels"].to(classes.device)) & ~scores.isnan()
    return {"right": right.sum(), "samples": torch.tensor(len(right))}


def summarize(parts: Sequence[dict[str, Tensor]]) -> float:
    """Return the accuracy in %."""
    return 100 * sum(int(p["right"]) for p in parts) / sum(int(p["samples"]) for p in parts)


def trivial(batches: Sequence[Batch]) -> float:
    """Return the accuracy in % of the most frequent class."""
    labels = torch.cat([batch.targets["labels"].cpu() for batch in batches])
    return 100 * int(torch.bincount(labels).max()) / len(labels)


def begin_and_end(text: str, vocabulary: int, most: int) -> list[int]:
    """Return the text's tokens; if there are more than `most`, half of `most` from the start and half from the end.

    A review gives its opinion at its end as often as at its start: of all truncations, this one classifies best (Sun et
    al. 2019, "How to fine-tune BERT for text classification?", section 5.3.1).
    """
    ids = ids_of(text, vocabulary, most + 1)
    if len(ids) <= most:
        return ids
    half = most // 2
    end = " ".join(text.rsplit(" ", half)[1:])  # enough words: each has a token or more
    last = ids_of(end, vocabulary)
    return [*ids[: most - half], *last[len(last) - half :]]


def _labelled(
    data: Dataset[Text],
    index: int,
    rng: np.random.Generator,
    *,
    vocabulary: int,
    length: int,
    cropping: bool,
) -> Example:
    sample = data[index]
    text = cropped(sample.text, rng, cropping)
    ids = [START, *begin_and_end(text, vocabulary, length - 2), END]
    return Example(
        inputs={"input_ids": padded(ids, length), "attention_mask": mask_of(len(ids), length)},
        targets={"labels": torch.tensor(sample.label)},
        num_tokens=len(ids),
    )
