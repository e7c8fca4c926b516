"""Worker side. Dropout: the share dropped, the scale of the rest, and that it is off in evaluation."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import nn

from suite.foundations.answers import Evidence, between, close, exact, same

COUNT: Final = 1 << 14
SIGMAS: Final = 6.0
"""Allowed standard deviations of the binomial count: a correct mask exceeds them once in 5e8 seeds."""


def dropped_range(rate: float, count: int = COUNT) -> tuple[float, float]:
    """Return the least and greatest share of `count` elements that dropout with `rate` may drop.

    The number dropped is binomial: mean n p, variance n p (1 - p).
    """
    spread = SIGMAS * math.sqrt(rate * (1 - rate) / count)
    return rate - spread, rate + spread


def dropout(device: str, dtype: torch.dtype) -> Evidence:
    """Check that the share dropped is binomial, the rest is scaled by 1 / (1 - p), and evaluation is the identity."""
    torch.manual_seed(0)
    ones = torch.ones(COUNT, device=device, dtype=dtype)
    x = torch.linspace(1, 2, 64, device=device, dtype=dtype)
    evidence: Evidence = {}
    for rate in (0.1, 0.5, 0.75):
        layer = nn.Dropout(rate)
        dropped = layer(ones)
        kept = dropped[dropped != 0]
        share = 1 - kept.numel() / COUNT
        evidence |= between(f"share dropped at {rate}", share, *dropped_range(rate))
        # 1 - p, its inverse and the product are rounded.
        scaled = [1 / (1 - rate)] * kept.numel()
        evidence |= close(f"scale at {rate}", kept, scaled, roundings=3)
        evidence |= exact(f"evaluation at {rate}", layer.eval()(x), x)
    leaf = ones.clone().requires_grad_()
    masked = nn.functional.dropout(leaf, 0.5)
    (slope,) = torch.autograd.grad(masked.sum(), leaf)
    torch.manual_seed(5)
    first = nn.functional.dropout(ones, 0.5)
    second = nn.functional.dropout(ones, 0.5)
    torch.manual_seed(5)
    again = nn.functional.dropout(ones, 0.5)
    channels = nn.Dropout2d(0.5)(torch.ones(64, 32, 3, 3, device=device, dtype=dtype))
    whole = channels.flatten(2)
    return (
        evidence
        | exact("the gradient has the same mask", slope, masked)
        | exact("none dropped at 0", nn.functional.dropout(x, 0.0), x)
        | exact("all dropped at 1", nn.functional.dropout(x, 1.0), [0.0] * 64)
        | exact("functional, not training", nn.functional.dropout(x, 0.5, training=False), x)
        | exact("the same seed", again, first)
        | same("every call draws anew", not torch.equal(first, second), True)
        | exact("whole channels", whole.amax(2), whole.amin(2))
        | between(
            "share of channels",
            float((whole.amax(2) == 0).double().mean()),
            *dropped_range(0.5, 64 * 32),
        )
    )
