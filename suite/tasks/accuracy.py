"""Worker side. Accuracy: loss and metric of the tasks with one label per sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from suite.tasks.batch import Batch
from suite.tasks.outputs import must_be_finite, must_have_outputs, tensors_of

AUXILIARY: Final = 0.4
"""Weight of an auxiliary classifier's loss, as in torchvision's reference training of Inception v3."""


def loss(module: nn.Module, batch: Batch) -> Tensor:
    """Return the mean cross entropy of the first output, logits [samples, classes]; scalar.

    Further outputs of that shape are auxiliary classifiers (Inception returns one in train mode), weighted by 0.4.
    Raise ValueError for labels without an output.
    """
    labels = batch.targets["labels"]
    logits, *others = tensors_of(module(**batch.inputs))
    must_have_outputs(labels, logits.shape[-1])
    total = cross_entropy(logits.float(), labels)
    for other in others:
        if other.shape == logits.shape:
            total = total + AUXILIARY * cross_entropy(other.float(), labels)
    return total


def judge(outputs: Sequence[Tensor], batch: Batch, names: Sequence[str] = ()) -> dict[str, Tensor]:
    """Return the number of correct top-1 predictions (`hits`) and of samples (`count`) in the batch.

    Raise ValueError for outputs that are not finite.
    """
    del names  # the logits come first
    must_be_finite(outputs[:1])
    labels = batch.targets["labels"].cpu()
    hits = outputs[0].argmax(dim=-1).cpu() == labels
    return {"hits": hits.sum(), "count": torch.tensor(len(labels))}


def summarize(parts: Sequence[Mapping[str, Tensor]]) -> float:
    """Return the accuracy in %; raise ValueError without samples."""
    count = sum(int(part["count"]) for part in parts)
    if not count:
        raise ValueError("there is no sample to compute the accuracy of; expected at least one")
    return 100 * sum(int(part["hits"]) for part in parts) / count


def trivial(batches: Sequence[Batch]) -> float:
    """Return the accuracy in % of always predicting the most frequent label."""
    labels = torch.cat([batch.targets["labels"].cpu() for batch in batches])
    return 100 * int(labels.bincount().max()) / len(labels)
