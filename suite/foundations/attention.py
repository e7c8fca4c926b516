"""Worker side. Attention against softmax(Q K^T / sqrt(d)) V, written out in NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from suite.foundations.answers import Evidence, close
from suite.foundations.samples import Array, array, normal


def attended(
    query: Array, key: Array, value: Array, *, bias: Any = 0.0, scale: float | None = None
) -> tuple[Array, Array, float]:
    """Return the weighted values, the weighted magnitudes of the values, and the largest magnitude of a finite score.

    Vaswani et al., arXiv:1706.03762, equation 1; `bias` is added to the scores (-inf where attention is masked).
    """
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = query @ key.swapaxes(-1, -2) * factor + bias
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return weights @ value, weights @ abs(value), float(abs(scores[np.isfinite(scores)]).max())


def _agrees(name: str, got: Tensor, reference: tuple[Array, Array, float]) -> Evidence:
    expected, magnitude, score = reference
    # A rounded score s changes its weight by |s| roundings, in numerator and denominator; then the scale, the
    # exponential, the quotient, and a weighted sum accumulated in float32.
    return close(name, got, expected, roundings=2 * score + 12, scale=magnitude)


def attention(device: str, dtype: torch.dtype) -> Evidence:
    """Check scaled dot-product attention against its formula: plain, causal, masked, biased, scaled, with grouped
    heads.
    """
    q, k, v = (normal(2, 4, 6, 8, seed=s, device=device, dtype=dtype) for s in (1, 2, 3))
    query, key, value = array(q), array(k), array(v)
    later = np.triu(np.ones((6, 6), dtype=bool), 1)
    seen = np.random.default_rng(4).random((2, 1, 6, 6)) < 0.6
    seen[..., 0] = True  # the result of a fully masked row is undefined
    added = normal(1, 4, 6, 6, seed=5, device=device, dtype=dtype)
    mask = torch.from_numpy(seen).to(device)
    sdpa = functional.scaled_dot_product_attention
    groups = [np.repeat(t[:, :2], 2, axis=1) for t in (key, value)]
    with torch.inference_mode():
        inferred = sdpa(q, k, v, is_causal=True)
    causal = attended(query, key, value, bias=np.where(later, -np.inf, 0))
    return (
        _agrees("plain", sdpa(q, k, v), attended(query, key, value))
        | _agrees("causal", sdpa(q, k, v, is_causal=True), causal)
        | _agrees("causal, without gradients", inferred, causal)
        | _agrees(
            "masked",
            sdpa(q, k, v, attn_mask=mask),
            attended(query, key, value, bias=np.where(seen, 0, -np.inf)),
        )
        | _agrees(
            "biased", sdpa(q, k, v, attn_mask=added), attended(query, key, value, bias=array(added))
        )
        | _agrees("scaled", sdpa(q, k, v, scale=0.25), attended(query, key, value, scale=0.25))
        | _agrees(
            "grouped heads", sdpa(q, k[:, :2], v[:, :2], enable_gqa=True), attended(query, *groups)
        )
        | _agrees(
            "fewer keys",
            sdpa(q, k[:, :, :3], v[:, :, :3]),
            attended(query, key[:, :, :3], value[:, :, :3]),
        )
        | _agrees(
            "four keys of one kind",
            sdpa(q, k[:, :, :1].expand_as(k), v),
            attended(query, key[:, :, :1].repeat(6, 2), value),
        )
    )


def multihead(device: str, dtype: torch.dtype) -> Evidence:
    """Check that nn.MultiheadAttention projects, attends by heads and projects back, with and without its fast path."""
    torch.manual_seed(0)
    layer = nn.MultiheadAttention(8, 2, batch_first=True).to(device, dtype)
    x = normal(3, 5, 8, seed=1, device=device, dtype=dtype)
    padding = torch.tensor(
        [[False] * 5, [False] * 3 + [True] * 2, [False] * 4 + [True]], device=device
    )
    inner, outer = layer.in_proj_weight, layer.out_proj.weight
    assert inner is not None

    def heads(projected: Array) -> Array:
        return projected.reshape(3, 5, 2, 4).swapaxes(1, 2)

    parts = np.split(array(x) @ array(inner).T, 3, axis=-1)  # its biases are initialized to zero
    bias = np.where(array(padding)[:, None, None, :] > 0, -np.inf, 0)
    mixed, _, score = attended(*map(heads, parts), bias=bias)
    # The values' scale: the magnitude of the products that they are sums of.
    summed = abs(array(x)) @ abs(array(inner))[16:].T
    magnitudes, _, _ = attended(heads(parts[0]), heads(parts[1]), heads(summed), bias=bias)
    joined, joined_magnitudes = (t.swapaxes(1, 2).reshape(3, 5, 8) for t in (mixed, magnitudes))
    expected = joined @ array(outer).T
    scale = joined_magnitudes @ abs(array(outer)).T
    evidence: Evidence = {}
    for name, is_training, context in (
        ("training", True, torch.enable_grad),
        ("evaluation", False, torch.enable_grad),
        ("fast path", False, torch.inference_mode),
    ):
        layer.train(is_training)
        with context():
            got, weights = layer(x, x, x, key_padding_mask=padding, need_weights=name == "training")
        # Three products, and the attention between them.
        evidence |= close(name, got, expected, roundings=2 * score + 16, scale=scale)
        if weights is not None:
            evidence |= close(
                "weights add up to one", weights.sum(-1), np.ones((3, 5)), roundings=2 * score + 12
            )
    return evidence
