"""Worker side. Perplexity of a model's predictions, and of token frequencies as the trivial baseline."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from suite.tasks.batch import Batch
from suite.tasks.tokens import IGNORED


def token_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the cross entropy in nats, mean over the labels that are not IGNORED; 0 if all are.

    Logits [N, length, vocabulary], labels [N, length] on any device.
    """
    wanted = labels.to(logits.device).flatten()
    total = cross_entropy(
        logits.flatten(0, 1).float(), wanted, ignore_index=IGNORED, reduction="sum"
    )
    return total / (wanted != IGNORED).sum().clamp(min=1)


@torch.no_grad()
def surprise(logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Return nll (nats, float64) and tokens: sums over the labels that are not IGNORED; shapes as in `token_loss`.

    Computed sample by sample: with 50,000 tokens, the log-probabilities of a batch would double the memory of its
    logits.
    """
    labels = labels.to(logits.device)
    nll = torch.zeros((), dtype=torch.float64, device=logits.device)
    for row, wanted in zip(logits, labels, strict=True):
        asked = wanted != IGNORED
        nll += cross_entropy(row[asked].float(), wanted[asked], reduction="sum").double()
    return {"nll": nll, "tokens": (labels != IGNORED).sum()}


def perplexity(parts: Sequence[dict[str, Tensor]]) -> float:
    """Return exp(sum of nll / tokens) of the results of `surprise`; infinite on overflow.

    Raise ValueError if no token has a label.
    """
    tokens = sum(int(part["tokens"]) for part in parts)
    if not tokens:
        raise ValueError("perplexity of no token: all labels are ignored; expected at least one")
    mean = sum(float(part["nll"]) for part in parts) / tokens
    return float(torch.tensor(mean, dtype=torch.float64).exp())


def unigram_perplexity(batches: Sequence[Batch]) -> float:
    """Return the perplexity of predicting every token by its add-one smoothed frequency in these batches.

    This baseline is generous: no model knows the test frequencies, and ids above the largest one seen are left out.
    """
    counts = torch.bincount(labels_in(batches)).double()
    chances = (counts + 1) / (counts + 1).sum()
    return math.exp(float(-(counts * chances.log()).sum() / counts.sum()))


def labels_in(batches: Sequence[Batch]) -> Tensor:
    """Return all labels that are not IGNORED, [tokens] on the CPU; raise ValueError if there are none."""
    labels = torch.cat([batch.targets["labels"].cpu().flatten() for batch in batches])
    labels = labels[labels != IGNORED]
    if not len(labels):
        raise ValueError("no label but ignored ones in these batches; expected at least one")
    return labels
