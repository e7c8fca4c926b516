"""Worker side. Comparison of results with known answers, within the rounding error that a dtype allows.

Every function returns evidence, `{name: {"expected": ..., "got": ..., ...}}`, so that a case can merge several.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from suite.axes import CPU

Evidence = dict[str, Any]
"""Name of a check -> the expected and actual value, and for numbers the largest error and its bound; JSON-able."""


class FoundationError(AssertionError):
    """A result differs from the known answer; the message has the expected and the actual value."""


def roundoff(dtype: torch.dtype) -> float:
    """Return u, the largest relative error of rounding a number to `dtype`: half the distance from 1 to the next."""
    return float(torch.finfo(dtype).eps) / 2


def values(numbers: Any) -> Tensor:
    """Return the numbers of a tensor, an array or nested lists, in float64 on the CPU."""
    if isinstance(numbers, Tensor):
        return numbers.detach().to(CPU, torch.float64)
    return torch.as_tensor(np.asarray(numbers, dtype=np.float64))


def exact(name: str, got: Tensor, expected: Any) -> Evidence:
    """Return evidence that `got` has the shape and exactly the numbers of `expected`; raises FoundationError."""
    wanted = values(expected)
    return _held(name, got, wanted, torch.zeros_like(wanted))


def close(
    name: str, got: Tensor, expected: Any, *, roundings: float, scale: Any = None
) -> Evidence:
    """Return evidence that `got` equals `expected` within `roundings` roundings to its dtype; raises FoundationError.

    One rounding is u times `scale`, the magnitude of what was rounded: that of the result if nothing cancels, else of
    the operands. One step of the dtype's subnormal numbers is always allowed.
    """
    wanted = values(expected)
    size = wanted.abs() if scale is None else values(scale).abs().expand_as(wanted)
    limits = torch.finfo(got.dtype)
    step = limits.smallest_normal * limits.eps
    return _held(name, got, wanted, roundings * roundoff(got.dtype) * size + step)


def same(name: str, got: object, expected: object) -> Evidence:
    """Return evidence that two plain values (a shape, a dtype, a bool) are equal; raises FoundationError."""
    got, expected = _plain(got), _plain(expected)
    if got != expected:
        raise FoundationError(f"{name}: expected {expected}, got {got}")
    return {name: {"expected": expected, "got": got}}


def between(name: str, got: float, low: float, high: float) -> Evidence:
    """Return evidence that a number lies in [low, high]; raises FoundationError."""
    if not low <= got <= high:
        raise FoundationError(f"{name}: expected {low:.6g} to {high:.6g}, got {got:.6g}")
    return {name: {"expected": [low, high], "got": got}}


def refused(name: str, error: type[Exception], call: Callable[[], object]) -> Evidence:
    """Return evidence that `call` raises `error`; raises FoundationError when it does not."""
    try:
        call()
    except error as raised:
        return {name: {"expected": error.__name__, "got": str(raised).partition("\n")[0][:200]}}
    raise FoundationError(f"{name}: expected {error.__name__}, got no error")


def _held(name: str, got: Tensor, expected: Tensor, bound: Tensor) -> Evidence:
    if got.shape != expected.shape:
        raise FoundationError(
            f"{name}: expected shape {list(expected.shape)}, got {list(got.shape)}"
        )
    if not got.numel():
        raise FoundationError(f"{name}: expected numbers to compare, got an empty tensor")
    found = values(got)
    bound = bound.where(expected.isfinite(), torch.zeros_like(bound))  # infinity must match exactly
    agrees = (found == expected) | (found.isnan() & expected.isnan())
    error = (found - expected).abs().nan_to_num(nan=math.inf).masked_fill(agrees, 0.0)
    is_off = ~(error <= bound)
    # Where the error is largest relative to its bound; 0 / 0 is no error.
    worst = int((error / bound).nan_to_num(nan=0.0, posinf=math.inf).argmax())
    at = tuple(int(i) for i in np.unravel_index(worst, expected.shape))
    shown = {
        "expected": _number(expected[at]),
        "got": _number(found[at]),
        "error": _number(error[at]),
        "bound": _number(bound[at]),
    }
    if is_off.any():
        raise FoundationError(
            f"{name}: expected {shown['expected']} with an error up to {shown['bound']:.3g}, got {shown['got']}"
            f" at {list(at)}; {int(is_off.sum())} of {got.numel()} values are off ({_plain(got.dtype)} on {got.device})"
        )
    return {name: {**shown, "values": got.numel()}}


def _number(value: Tensor) -> float | str:
    """Return a float if JSON can represent it, else `inf`, `-inf`, `nan`."""
    number = float(value)
    return number if math.isfinite(number) else str(number)


def _plain(value: object) -> object:
    """Return the value in its JSON form."""
    if isinstance(value, torch.dtype | torch.device):
        return str(value).removeprefix("torch.")
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    return value
