"""Worker side. Accuracy: loss and metric of all tasks that give one label to a sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from suite.tasks.batch import Batch
from suite.tasks.outputs import must_be_finite, must_have_outputs, tensors_of

AUXILIARY: Final = 0.4
"""Weight of a second classifier's loss, as torchvision's reference training has it for Inception v3."""


def loss(module: nn.Module, batch: Batch) -> Tensor:
    """Mean cross entropy of the first output, logits [samples, classes]; scalar.

    Further outputs of that shape are auxiliary classifiers (Inception returns one in train mode) and count 0.4.
    Raises ValueError for labels without an output.
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
    """How many of the batch's labels have the highest logit, and how many there are.

    Raises ValueError for outputs that are not finite.
    """
    del names  # the logits come first
    must_be_finite(outputs[:1])
    labels = batch.targets["labels"].cpu()
    hits = outputs[0].argmax(dim=-1).cpu() == labels
    return {"hits": hits.sum(), "count": torch.tensor(len(labels))}


def summarize(parts: Sequence[Mapping[str, Tensor]]) -> float:
    """Accuracy in %; raises ValueError without samples."""
    count = sum(int(part["count"]) for part in parts)
    if not count:
        raise ValueError("there is no sample to compute the accuracy of; expected at least one")
    return 100 * sum(int(part["hits"]) for part in parts) / count


def trivial(batches: Sequence[Batch]) -> float:
    """Accuracy in % of always giving the most frequent label."""
    labels = torch.cat([batch.targets["labels"].cpu() for batch in batches])
    return 100 * int(labels.bincount().max()) / len(labels)
