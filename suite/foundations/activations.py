"""Worker side. Activations and softmax against their formulas, and at inputs where the naive formula overflows."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from suite.foundations.answers import Evidence, close, exact, roundoff
from suite.foundations.samples import array, normal

_SQRT_2: Final = math.sqrt(2)


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0


FORMULAS: Final[dict[str, tuple[Callable[[Tensor], Tensor], Callable[[float], float]]]] = {
    "relu": (lambda x: functional.relu(x), lambda x: max(x, 0.0)),
    "leaky_relu": (lambda x: functional.leaky_relu(x, 0.125), lambda x: x if x > 0 else x / 8),
    "elu": (lambda x: functional.elu(x), lambda x: x if x > 0 else math.expm1(x)),
    "sigmoid": (lambda x: torch.sigmoid(x), _sigmoid),
    "tanh": (lambda x: torch.tanh(x), math.tanh),
    "silu": (lambda x: functional.silu(x), lambda x: x * _sigmoid(x)),
    "gelu": (lambda x: functional.gelu(x), lambda x: x * (1 + math.erf(x / _SQRT_2)) / 2),
    "gelu, tanh": (
        lambda x: functional.gelu(x, approximate="tanh"),
        lambda x: x / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    ),
    "softplus": (
        lambda x: functional.softplus(x),
        lambda x: max(x, 0) + math.log1p(math.exp(-abs(x))),
    ),
    "log_sigmoid": (
        lambda x: functional.logsigmoid(x),
        lambda x: min(x, 0) - math.log1p(math.exp(-abs(x))),
    ),
    "hardswish": (lambda x: functional.hardswish(x), lambda x: x * min(max(x + 3, 0), 6) / 6),
    "exp": (lambda x: torch.exp(x), math.exp),
    "erf": (lambda x: torch.erf(x), math.erf),
}
"""Name -> the library's function, and its formula for one number. Looked up when called, not when imported."""


def pointwise(device: str, dtype: torch.dtype) -> Evidence:
    """Check that every activation follows its formula on numbers from -8 to 8."""
    x = torch.linspace(-8, 8, 65, device=device, dtype=dtype)
    evidence: Evidence = {}
    for name, (function, formula) in FORMULAS.items():
        expected = [formula(v) for v in array(x).tolist()]
        # In float32 throughout, of functions accurate to 2 units in the last place (CUDA C++ Programming Guide,
        # mathematical functions), which is 4 roundings; 1 + tanh and 1 + erf cancel for negative x, so |x| is the
        # scale. The half types round the result once more.
        scale = np.maximum(
            np.abs(expected), np.abs(array(x)) * roundoff(torch.float32) / roundoff(dtype)
        )
        evidence |= close(
            name, function(x), expected, roundings=8 if dtype is torch.float32 else 2, scale=scale
        )
    return evidence


def softmax(device: str, dtype: torch.dtype) -> Evidence:
    """Check that softmax follows its formula, sums to one, ignores a shift, and handles huge and infinite logits."""
    x = normal(6, 50, seed=1, device=device, dtype=dtype) * 3
    weights = np.exp(array(x) - array(x).max(1, keepdims=True))
    expected = weights / weights.sum(1, keepdims=True)
    shares = x.softmax(1)
    whole = torch.arange(8, device=device, dtype=dtype)
    shifted = whole + 64
    huge = torch.tensor([[1e4, 1e4, -1e4], [-1e4, 0.0, -1e4]], device=device, dtype=dtype)
    masked = torch.tensor([[0.0, -math.inf, 0.0]], device=device, dtype=dtype)
    # In float32, rounding the difference d to the maximum changes exp by |d| roundings; then exp itself, the sum
    # and the quotient. The half types compute that in float32 and round the result, except for the sum of the
    # exponentials in log_softmax on a CPU, which is kept in the dtype: its scale is at least 1.
    spread = float(np.ptp(array(x), axis=1).max()) if dtype is torch.float32 else 0.0
    logs = np.log(expected)
    return (
        close("softmax", shares, expected, roundings=4 + spread)
        | close(
            "sum",
            shares.double().sum(1),
            np.ones(6),
            roundings=8 * roundoff(dtype) / roundoff(torch.float64),
        )
        | close("log_softmax", x.log_softmax(1), logs, roundings=4, scale=np.maximum(abs(logs), 1))
        | exact("shifted", shifted.softmax(0), whole.softmax(0))
        | exact("huge", huge.softmax(1), [[0.5, 0.5, 0], [0, 1, 0]])
        | close(
            "huge, logarithm",
            huge.log_softmax(1)[:, 0],
            [-math.log(2), float(huge[1, 0])],
            roundings=2,
        )
        | exact("masked", masked.softmax(1), [[0.5, 0, 0.5]])
        | exact(
            "nothing left",
            torch.full((2,), -math.inf, device=device, dtype=dtype).softmax(0),
            [math.nan] * 2,
        )
        | exact(
            "sigmoid at the ends",
            torch.tensor([-1e4, 1e4], device=device, dtype=dtype).sigmoid(),
            [0, 1],
        )
        | exact(
            "softplus at the ends",
            functional.softplus(torch.tensor([-1e4, 1e4], device=device, dtype=dtype)),
            [0, float(torch.tensor(1e4, dtype=dtype))],
        )
        | exact(
            "tanh at the ends",
            torch.tensor([-1e4, 1e4], device=device, dtype=dtype).tanh(),
            [-1, 1],
        )
    )
