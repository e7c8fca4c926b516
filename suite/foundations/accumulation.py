"""Worker side. Gradient accumulation: many small backward passes instead of a large one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from suite.foundations.answers import Evidence, close, exact, same
from suite.foundations.samples import array, normal

ROWS: Final = 12
PARTS: Final = ((12,), (4, 4, 4), (1,) * 12, (5, 4, 3))
"""Sizes of the micro-batches; the last split is uneven, so a plain mean of means would be wrong."""


def accumulate(module: nn.Module, inputs: Tensor, targets: Tensor, sizes: Sequence[int]) -> float:
    """Accumulate the gradients of the mean loss over all rows in `module`, one micro-batch at a time; return the loss.

    Each micro-batch's mean is weighted by its share of the rows.
    """
    total = 0.0
    for x, target in zip(*(torch.split(t, list(sizes)) for t in (inputs, targets)), strict=True):
        loss = functional.mse_loss(module(x), target) * (len(x) / len(inputs))
        loss.backward()  # type: ignore[no-untyped-call]
        total += loss.item()
    return total


def accumulation(device: str, dtype: torch.dtype) -> Evidence:
    """Check that accumulated gradients, and the weights after a step with them, equal those of the large batch."""
    inputs = normal(ROWS, 3, seed=1, device=device, dtype=dtype)
    targets = normal(ROWS, 1, seed=2, device=device, dtype=dtype)
    weight = normal(1, 3, seed=3, device=device, dtype=dtype)
    x, y, w = array(inputs), array(targets), array(weight)
    away = x @ w.T - y
    # d/dw mean (x w - y)^2 = 2 mean (x w - y) x: derived by hand, not by a backward pass.
    slope = 2 * (away.T @ x) / ROWS
    terms = 2 * (abs(x @ w.T) + abs(y)).T @ abs(x) / ROWS
    evidence: Evidence = {}
    for sizes in PARTS:
        module = nn.Linear(3, 1, bias=False, device=device, dtype=dtype)
        module.weight = nn.Parameter(weight.clone())
        loss = accumulate(module, inputs, targets, sizes)
        grad = module.weight.grad
        assert grad is not None
        name = "+".join(map(str, sizes))
        # A forward and a backward product, a square, a mean, a share: eight roundings; then one per addition.
        roundings = 8 + len(sizes)
        evidence |= close(f"gradient {name}", grad, slope, roundings=roundings, scale=terms)
        evidence |= close(
            f"loss {name}",
            torch.tensor(loss, dtype=dtype),
            (away**2).mean(),
            roundings=roundings,
            scale=((abs(x @ w.T) + abs(y)) ** 2).mean(),
        )
        torch.optim.SGD(module.parameters(), lr=0.125).step()
        evidence |= close(
            f"weights {name}",
            module.weight,
            w - 0.125 * slope,
            roundings=roundings,
            scale=abs(w) + 0.125 * terms,
        )
    return evidence | _deep(device, dtype)


def _deep(device: str, dtype: torch.dtype) -> Evidence:
    """Check with a two-layer net that every parameter's gradient equals that of the large batch."""
    inputs = normal(ROWS, 3, seed=4, device=device, dtype=dtype)
    targets = normal(ROWS, 2, seed=5, device=device, dtype=dtype)
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2)).to(device, dtype)
    found = []
    for sizes in ((ROWS,), (5, 4, 3)):
        module.zero_grad()
        accumulate(module, inputs, targets, sizes)
        found.append({n: p.grad for n, p in module.named_parameters() if p.grad is not None})
    large, parts = found
    evidence = same("parameters with a gradient", sorted(parts), sorted(large))
    for name, grad in parts.items():
        scale = large[name].abs().max()
        evidence |= close(f"net {name}", grad, large[name], roundings=24, scale=scale)
    module.zero_grad()
    accumulate(module, inputs, targets, (ROWS,))
    again = {n: p.grad for n, p in module.named_parameters() if p.grad is not None}
    return evidence | exact("zeroed in between", again["0.weight"], large["0.weight"])
