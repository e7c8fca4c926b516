"""Worker side. Gradient clipping, by total norm and by value."""

from __future__ import annotations

import math

import torch
from torch import nn

from suite.foundations.answers import Evidence, close, exact, refused

FIRST, SECOND = (3.0, 0.0), (0.0, -4.0, 12.0)
"""Gradients of two parameters: total norm sqrt(9 + 16 + 144) = 13."""


def _parameters(device: str, dtype: torch.dtype) -> list[nn.Parameter]:
    found = []
    for numbers in (FIRST, SECOND):
        parameter = nn.Parameter(torch.zeros(len(numbers), device=device, dtype=dtype))
        parameter.grad = torch.tensor(numbers, device=device, dtype=dtype)
        found.append(parameter)
    return found


def clipping(device: str, dtype: torch.dtype) -> Evidence:
    """Check that all gradients shrink by one factor when their total norm is too large, and otherwise stay
    bit-identical.
    """
    evidence: Evidence = {}
    for way, foreach in (("for-loop", False), ("foreach", True)):
        large, small, rough, bounded, infinite = (_parameters(device, dtype) for _ in range(5))
        norm = nn.utils.clip_grad_norm_(large, 6.5, foreach=foreach)
        unclipped = nn.utils.clip_grad_norm_(small, 100.0, foreach=foreach)
        greatest = nn.utils.clip_grad_norm_(rough, 6.0, norm_type=math.inf, foreach=foreach)
        nn.utils.clip_grad_value_(bounded, 3.5, foreach=foreach)
        infinite[0].grad = torch.full_like(infinite[0], math.inf)
        wrong = nn.utils.clip_grad_norm_
        # The norm, the factor (with 1e-6 added to the norm) and the product are rounded.
        for name, parameters, factor in (("large", large, 0.5), ("largest", rough, 0.5)):
            for number, numbers in enumerate((FIRST, SECOND)):
                evidence |= close(
                    f"{way}: {name} {number}",
                    _grad(parameters[number]),
                    [v * factor for v in numbers],
                    roundings=4 + 1e-6 / torch.finfo(dtype).eps,
                )
        evidence |= (
            close(f"{way}: norm", norm, 13, roundings=4)
            | close(f"{way}: norm of the small", unclipped, 13, roundings=4)
            | exact(f"{way}: largest", greatest, 12)
            | exact(f"{way}: small stays", _grad(small[1]), SECOND)
            | exact(f"{way}: by value", _grad(bounded[1]), [0, -3.5, 3.5])
            | refused(
                f"{way}: infinite, when asked to",
                RuntimeError,
                lambda p=infinite, f=foreach, clip=wrong: clip(  # type: ignore[misc]
                    p, 1.0, error_if_nonfinite=True, foreach=f
                ),
            )
        )
    return evidence


def _grad(parameter: nn.Parameter) -> torch.Tensor:
    assert parameter.grad is not None
    return parameter.grad
