"""Worker side. Matrix products in all their forms, against float64."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from suite.foundations.answers import Evidence, close, exact, refused, roundoff
from suite.foundations.samples import array, integers, normal


@contextmanager
def full_float32() -> Iterator[None]:
    """Disable TF32 (10 bits) for float32 products on a GPU: it is cuDNN's default and not an error."""
    switches: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [switch.allow_tf32 for switch in switches]
    for switch in switches:
        switch.allow_tf32 = False
    try:
        yield
    finally:
        for switch, setting in zip(switches, before, strict=True):
            switch.allow_tf32 = setting


def product_roundings(dtype: torch.dtype, length: int) -> float:
    """Return the roundings to `dtype` in a sum of `length` products, in units of the sum of the products' magnitudes.

    gamma_n of Higham, Accuracy and Stability, 3.1: every product and every addition rounds. The half types are
    accumulated in float32, which costs `length` of its far smaller roundings, and rounded at the end, and in between if
    a GPU splits a long sum.
    """
    if dtype is torch.float32:
        return length
    return 4 + length * roundoff(torch.float32) / roundoff(dtype)


def exact_products(device: str, dtype: torch.dtype) -> Evidence:
    """Check that products of small whole numbers are exact in every dtype and with every function."""
    a = integers(5, 7, seed=1, device=device, dtype=dtype)
    b = integers(7, 3, seed=2, device=device, dtype=dtype)
    bias = integers(3, seed=3, device=device, dtype=dtype)
    stack = integers(2, 7, 3, seed=4, device=device, dtype=dtype)
    rows, columns, added = array(a).tolist(), array(b).T.tolist(), array(bias).tolist()
    # By hand, not by another library's product: at most 7 * 4 * 4 + 4 = 116, exact in bfloat16.
    c = [
        [sum(x * y for x, y in zip(row, column, strict=True)) for column in columns] for row in rows
    ]
    plus = [[v + w for v, w in zip(row, added, strict=True)] for row in c]
    batched = np.einsum("ij,bjk->bik", array(a), array(stack))
    return (
        exact("matmul", a @ b, c)
        | exact("mm", torch.mm(a, b), c)
        | exact("transposed", (b.T @ a.T).T, c)
        | exact("from columns", a.T.contiguous().T @ b, c)
        | exact("einsum", torch.einsum("ij,jk->ik", a, b), c)
        | exact("addmm", torch.addmm(bias, a, b), plus)
        | exact("linear", torch.nn.functional.linear(a, b.T.contiguous(), bias), plus)
        | exact("vector", a @ b[:, 0], [row[0] for row in c])
        | exact("dot", a[0] @ b[:, 0], c[0][0])
        | exact("outer", torch.outer(bias, bias), np.outer(added, added))
        | exact("bmm", torch.bmm(a.expand(2, 5, 7), stack), batched)
        | exact("broadcast batch", a @ stack, batched)
        | exact("einsum batch", torch.einsum("ij,bjk->bik", a, stack), batched)
        | exact("trace", torch.einsum("ii->", a[:5, :5]), np.trace(array(a)[:5, :5]))
        | exact("baddbmm", torch.baddbmm(bias, a.expand(2, 5, 7), stack), batched + array(bias))
        | exact("no inner extent", a[:, :0] @ b[:0], np.zeros((5, 3)))
        | refused("inner extents that differ", RuntimeError, lambda: a @ b.T)
    )


def float64_agreement(device: str, dtype: torch.dtype) -> Evidence:
    """Check products of random matrices against float64 element by element, within the rounding of their sums."""
    with full_float32():
        return _agreement(device, dtype)


def _agreement(device: str, dtype: torch.dtype) -> Evidence:
    evidence: Evidence = {}
    for rows, length, columns in ((64, 64, 64), (33, 257, 17), (1, 512, 5)):
        a = normal(rows, length, seed=length, device=device, dtype=dtype)
        b = normal(length, columns, seed=rows, device=device, dtype=dtype)
        name = f"{rows}x{length}x{columns}"
        forms: dict[str, Tensor] = {
            "matmul": a @ b,
            "linear": torch.nn.functional.linear(a, b.T.contiguous()),
            "einsum": torch.einsum("ij,jk->ik", a, b),
            "bmm": torch.bmm(a[None], b[None])[0],
        }
        reference: dict[str, Any] = {
            "expected": array(a) @ array(b),
            "roundings": product_roundings(dtype, length),
            "scale": abs(array(a)) @ abs(array(b)),
        }
        for form, got in forms.items():
            evidence |= close(f"{form} {name}", got, **reference)
    # A sum that cancels: the products are large, the result is small, and must be accurate relative to its scale.
    length = 64
    big = torch.full((1, length), 16.0, device=device, dtype=dtype)
    signs = torch.tensor([[1.0, -1.0]] * (length // 2), device=device, dtype=dtype).reshape(
        length, 1
    )
    signs[0] = 1.5
    evidence |= exact("cancellation", big @ signs, [[8.0]])
    # float16 overflows at 65504; a larger sum of products must be infinite, not a NaN or a wrapped number.
    if dtype is torch.float16:
        evidence |= exact("overflow", (big * 16) @ (big.T * 16), [[math.inf]])
    return evidence
