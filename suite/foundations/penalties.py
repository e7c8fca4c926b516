"""Worker side. L1 and L2 penalties, and weight decay, which is the gradient of the latter."""

from __future__ import annotations

import torch
from torch import nn

from suite.foundations.answers import Evidence, exact

WEIGHTS = (2.0, -1.0, 0.0, 0.5)
"""Includes a zero, where the slope of L1 is 0 by convention."""


def penalties(device: str, dtype: torch.dtype) -> Evidence:
    """Check that L1 is the sum of magnitudes with slope sign(w), L2 half the sum of squares with slope w; both add to a
    loss.
    """
    weights = torch.tensor(WEIGHTS, device=device, dtype=dtype, requires_grad=True)
    l1, l2 = weights.abs().sum(), weights.square().sum() / 2
    (slope_l1,) = torch.autograd.grad(l1, weights, retain_graph=True)
    (slope_l2,) = torch.autograd.grad(l2, weights, retain_graph=True)
    loss = (weights * 4).sum() + 0.5 * l1 + 0.25 * l2
    (slope,) = torch.autograd.grad(loss, weights)
    decayed = nn.Parameter(weights.detach().clone())
    decayed.grad = torch.zeros_like(decayed)
    torch.optim.SGD([decayed], lr=0.5, weight_decay=0.25).step()
    # Every figure is a multiple of 1/16 below 16: exact in every dtype.
    return (
        exact("L1", l1, 3.5)
        | exact("L2", l2, 2.625)
        | exact("slope of L1", slope_l1, [1, -1, 0, 1])
        | exact("slope of L2", slope_l2, WEIGHTS)
        | exact("slope of a loss with both", slope, [5, 3.25, 4, 4.625])
        | exact("weight decay", decayed, [w * (1 - 0.5 * 0.25) for w in WEIGHTS])
        | exact("norm", torch.linalg.vector_norm(weights, 1), 3.5)
    )
