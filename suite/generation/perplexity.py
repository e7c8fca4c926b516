"""Worker side. Perplexity of a decoder on a text, read token by token through its cache."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from suite.generation.decoder import Decoder


def perplexity_of(decoder: Decoder, ids: Tensor) -> float:
    """Return exp of the mean of -log p(token | those before), over ids [tokens] after the first; at most e^700.

    Every token is decoded with the cache, so that a cache that is wrong shows here, too.
    """
    logits, state = decoder.read(ids[None, :1], None)
    losses = []
    for token in ids[1:]:
        losses.append(float(-torch.log_softmax(logits[0].double(), -1)[token]))
        logits = decoder.step(token.reshape(1, 1), state)
    return math.exp(min(700.0, sum(losses) / len(losses)))
