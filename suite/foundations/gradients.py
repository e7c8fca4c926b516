"""Worker side. Autograd against central finite differences of the same functions in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from suite.axes import CPU
from suite.foundations.answers import Evidence, FoundationError, close, refused, roundoff, same
from suite.foundations.products import full_float32
from suite.foundations.samples import normal


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A scalar function of many numbers, whose gradient is tested."""

    shape: tuple[int, ...]
    """Shape of the point at which the gradient is taken."""
    call: Callable[[Tensor], Tensor]
    roundings: float
    """Roundings of forward and backward, each relative to the largest slope: about two per operation, more for
    intermediate values whose error an exponential or a quotient magnifies.
    """


def weights(*shape: int, like: Tensor, seed: int = 7) -> Tensor:
    """Return a function's constants: the same numbers in every dtype, rounded to bfloat16."""
    return _constants(shape, seed, str(like.device), like.dtype)


@cache
def _constants(shape: tuple[int, ...], seed: int, device: str, dtype: torch.dtype) -> Tensor:
    return (normal(*shape, seed=seed, device=CPU, dtype=torch.bfloat16) / 2).to(device, dtype)


def network(flat: Tensor) -> Tensor:
    """Return the cross entropy of a two-layer net, 3 -> 4 -> 3 with tanh, as a function of its 31 weights."""
    w1, b1, w2, b2 = torch.split(flat, [12, 4, 12, 3])
    hidden = torch.tanh(functional.linear(weights(5, 3, like=flat), w1.view(4, 3), b1))
    logits = functional.linear(hidden, w2.view(3, 4), b2)
    return functional.cross_entropy(logits, torch.tensor([0, 2, 1, 1, 0], device=flat.device))


def attention(flat: Tensor) -> Tensor:
    """Return a weighted sum of attention over 3 queries, keys and values of width 4."""
    query, key, value = flat.view(3, 1, 1, 3, 4).unbind()
    result = functional.scaled_dot_product_attention(query, key, value)
    return (result * weights(3, 4, like=flat)).sum()


def convolution(x: Tensor) -> Tensor:
    """Return a weighted sum of a padded convolution of two channels with stride 2."""
    result = functional.conv2d(x, weights(3, 2, 3, 3, like=x), stride=2, padding=1)
    return (result * weights(3, 2, 2, like=x, seed=8)).sum()


FUNCTIONS: Final = {
    "polynomial": Function(shape=(5,), call=lambda x: (x**3 - 2 * x).sum(), roundings=6),
    "quotient": Function(shape=(5,), call=lambda x: (x / (1 + x * x)).sum(), roundings=12),
    "exp and log": Function(shape=(5,), call=lambda x: (x.exp() + 1).log().sum(), roundings=10),
    "square root": Function(shape=(5,), call=lambda x: (x * x + 1).sqrt().sum(), roundings=10),
    "tanh": Function(shape=(5,), call=lambda x: (x.tanh() * x.sigmoid()).sum(), roundings=12),
    "gelu": Function(shape=(5,), call=lambda x: functional.gelu(x).sum(), roundings=8),
    "silu": Function(shape=(5,), call=lambda x: functional.silu(x).sum(), roundings=8),
    "softmax": Function(
        shape=(2, 4), call=lambda x: (x.softmax(1) * weights(2, 4, like=x)).sum(), roundings=16
    ),
    "logsumexp": Function(shape=(2, 4), call=lambda x: x.logsumexp(1).sum(), roundings=10),
    "quadratic form": Function(
        shape=(4,), call=lambda x: x @ weights(4, 4, like=x) @ x, roundings=12
    ),
    "layer norm": Function(
        shape=(2, 6),
        call=lambda x: (functional.layer_norm(x, (6,)) * weights(2, 6, like=x)).sum(),
        roundings=16,
    ),
    "batch norm": Function(
        shape=(6, 2),
        call=lambda x: (
            functional.batch_norm(x, None, None, training=True) * weights(6, 2, like=x)
        ).sum(),
        roundings=16,
    ),
    "running sum": Function(
        shape=(6,), call=lambda x: (x.cumsum(0) * weights(6, like=x)).sum(), roundings=10
    ),
    "convolution": Function(shape=(1, 2, 4, 4), call=convolution, roundings=12),
    "attention": Function(shape=(36,), call=attention, roundings=24),
    "network": Function(shape=(31,), call=network, roundings=24),
}
"""Smooth functions: a kink within a step of the point would make the difference, not the gradient, wrong."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Run on one thread: more only slow down hundreds of calls on a few dozen numbers, by seconds under load."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def central_differences(function: Callable[[Tensor], Tensor], point: Tensor) -> Tensor:
    """Return (f(x + h) - f(x - h)) / 2h for every number of `point`, in its shape and dtype; error O(h^2) and O(eps/h).

    h = eps^(1/3), where both are about eps^(2/3): 4e-11 in float64, 2e-5 in float32, 4e-2 in bfloat16.
    """
    step = torch.finfo(point.dtype).eps ** (1 / 3)
    slopes = []
    with torch.no_grad():
        for index in range(point.numel()):
            away = torch.zeros_like(point).view(-1)
            away[index] = step
            above, below = point + away.view_as(point), point - away.view_as(point)
            # The distance after rounding, not the nominal 2h.
            width = (above - below).view(-1)[index]
            slopes.append((function(above) - function(below)) / width)
    return torch.stack(slopes).view_as(point)


@full_float32()
@one_thread()
def gradients(device: str, dtype: torch.dtype) -> Evidence:
    """Check gradients in the dtype against central differences in float64, within the rounding of the computation."""
    evidence: Evidence = {}
    for number, (name, function) in enumerate(FUNCTIONS.items()):
        x = normal(*function.shape, seed=number, device=device, dtype=dtype, requires_grad=True)
        (got,) = torch.autograd.grad(function.call(x), x)
        expected = central_differences(function.call, x.detach().double())
        evidence |= close(
            name, got, expected, roundings=function.roundings, scale=expected.abs().max()
        )
    return evidence


@full_float32()
@one_thread()
def finite_differences(device: str, dtype: torch.dtype) -> Evidence:
    """Check gradients against central differences, within the error of those, in float64 and in the dtype itself.

    Raises FoundationError when that error exceeds a tenth of the slopes: such a test proves nothing.
    """
    evidence: Evidence = {}
    for kind in (torch.float64, dtype):
        for number, (name, function) in enumerate(FUNCTIONS.items()):
            x = normal(*function.shape, seed=number, device=device, dtype=kind, requires_grad=True)
            value = function.call(x)
            (got,) = torch.autograd.grad(value, x)
            expected = central_differences(function.call, x.detach())
            # 16 times eps^(2/3): a third derivative above 1, and several roundings in the function.
            scale = max(float(expected.abs().max()), float(value.detach().abs()))
            error = 16 * torch.finfo(kind).eps ** (2 / 3) * scale
            if error > expected.abs().max() / 10:
                raise FoundationError(
                    f"{name}: expected differences that tell a slope to a tenth, got an error of {error:.2g} for slopes"
                    f" up to {float(expected.abs().max()):.2g}: too few digits in {str(kind).removeprefix('torch.')}"
                )
            label = f"{name}, {str(kind).removeprefix('torch.')}"
            evidence |= close(
                label, got, expected, roundings=error / scale / roundoff(kind), scale=scale
            )
    x = normal(31, seed=0, device=device, dtype=torch.float64, requires_grad=True)
    evidence |= same("gradcheck of the network", torch.autograd.gradcheck(network, x), True)
    return evidence | refused(
        "gradcheck sees a wrong backward",
        RuntimeError,
        lambda: torch.autograd.gradcheck(_wrong, x),
    )


def _wrong(x: Tensor) -> Tensor:
    """Return a value whose backward is not its derivative: half of it is detached."""
    return (x * x.detach()).sum()
