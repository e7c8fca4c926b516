"""Worker side. Reductions: sums, moments, extremes and running sums, exact and where digits are lost."""

from __future__ import annotations

import math

import torch

from suite.axes import CPU
from suite.foundations.answers import Evidence, close, exact, roundoff
from suite.foundations.samples import array, normal


def exact_values(device: str, dtype: torch.dtype) -> Evidence:
    """Check that reductions of small whole numbers, which no dtype rounds, are exact."""
    x = torch.tensor([[3.0, -1.0, 2.0, 0.0], [5.0, 5.0, -7.0, 1.0]], device=device, dtype=dtype)
    top = x.topk(2, dim=1)
    ordered = x.sort(dim=1, descending=True)
    lowest = x.min(dim=1)
    return (
        exact("sum", x.sum(), 8)
        | exact("sum of columns", x.sum(0), [8, 4, -5, 1])
        | exact("sum, axis kept", x.sum(1, keepdim=True), [[4], [4]])
        | exact("mean", x.mean(1), [1, 1])
        | exact("variance", x[:, :2].var(1), [8, 0])
        | exact("variance of the population", x[:, :2].var(1, correction=0), [4, 0])
        | exact(
            "standard deviation",
            torch.tensor([1.0, 5.0], device=device, dtype=dtype).std(correction=0),
            2,
        )
        | exact("product", x[:, [0, 2]].prod(1), [6, -35])
        | exact("maximum", x.amax(1), [3, 5])
        | exact("minimum", lowest.values, [-1, -7])
        | exact("its place", lowest.indices, [1, 2])
        | exact("argmax", x[0].argmax(), 0)
        | exact("argmax of all", x.argmin(), 6)
        | exact("maximum of equals", x.max(dim=1).values, [3, 5])
        | exact("top two", top.values, [[3, 2], [5, 5]])
        | exact("sorted", ordered.values, [[3, 2, 0, -1], [5, 5, 1, -7]])
        | exact("argsort", x[0].argsort(), [1, 3, 2, 0])
        | exact("running sum", x.cumsum(1), [[3, 2, 4, 4], [5, 10, 3, 4]])
        | exact("running product", x[:, :3].cumprod(1), [[3, -3, -6], [5, 25, -175]])
        | exact("running maximum", x.cummax(1).values, [[3, 3, 3, 3], [5, 5, 5, 5]])
        | exact("difference", x.diff(dim=1), [[-4, 3, -2], [0, -12, 8]])
        | exact("norm", torch.tensor([3.0, 4.0], device=device, dtype=dtype).norm(), 5)
        | exact("largest norm", torch.linalg.vector_norm(x, math.inf), 7)
        | exact("any and all", torch.stack([(x > 4).any(), (x > 4).all()]), [1, 0])
        | exact("count", x.count_nonzero(), 7)
        | exact("median", x[0, :3].median(), 2)
        | exact("empty sum", x[:0].sum(0), [0, 0, 0, 0])
        | exact(
            "a NaN is not lost",
            torch.tensor([1.0, math.nan], device=device, dtype=dtype).max(),
            math.nan,
        )
    )


def accuracy(device: str, dtype: torch.dtype) -> Evidence:
    """Check that reductions of random numbers stay within the rounding of a good algorithm, compared with float64."""
    x = normal(8, 500, seed=1, device=device, dtype=dtype)
    numbers = array(x)
    total = abs(numbers).sum(1)
    # Sums in float32 whatever the dtype, added in a tree of depth log2(500) = 9 (Higham, Accuracy and Stability
    # of Numerical Algorithms, 4.2); the half types then round the result once. Running sums are sequential on a
    # CPU, and on a GPU an up-and-down tree that may be kept in the dtype.
    tree = 9.0 + 1 if dtype is torch.float32 else 1.5
    running = 500.0 if dtype is torch.float32 else 1.5 if device == CPU else 2 * 10.0
    running_scale = abs(numbers).cumsum(1)
    logarithm = [math.log(math.fsum(math.exp(v) for v in row)) for row in numbers]
    return (
        close("sum", x.sum(1), [math.fsum(row) for row in numbers], roundings=tree, scale=total)
        | close("mean", x.mean(1), numbers.mean(1), roundings=tree + 1, scale=total / 500)
        | close("variance", x.var(1), numbers.var(1, ddof=1), roundings=2 * tree + 4)
        | close("standard deviation", x.std(1), numbers.std(1, ddof=1), roundings=tree + 4)
        | close("norm", x.norm(dim=1), [math.hypot(*row) for row in numbers], roundings=tree + 2)
        | close("logsumexp", x.logsumexp(1), logarithm, roundings=tree + 4)
        | close(
            "running sum", x.cumsum(1), numbers.cumsum(1), roundings=running, scale=running_scale
        )
    )


def stability(device: str, dtype: torch.dtype) -> Evidence:
    """Check results where the textbook formula fails: long sums, means far from zero, huge exponents."""
    u = roundoff(dtype)
    # Adding 1 to 1/u is lost in the dtype, so a sum kept in it stops there. In float32 that takes 2^24 numbers:
    # instead, a million tenths, for which a sequential sum is off by 1e-4 and more.
    if dtype is torch.float32:
        many = torch.full((1 << 20,), 0.1, device=device, dtype=dtype)
        long = close(
            "a million tenths", many.sum(), (1 << 20) * float(many[0]), roundings=20 + 1
        )  # a tree of depth 20
    else:
        many = torch.ones(4 * int(1 / u), device=device, dtype=dtype)
        long = exact("more ones than the dtype counts", many.sum(), 4 / u)
    # The mean of squares minus the square of the mean is only rounding error here.
    offset = 1 / (8 * u)
    far = torch.tensor([0.0, 1.0, 2.0, 3.0], device=device, dtype=dtype) + offset
    huge = torch.tensor([1000.0, 1000.0, -1000.0], device=device, dtype=dtype)
    return (
        long
        | close("variance far from zero", far.var(), 5 / 3, roundings=2)
        | close("logsumexp of 1000", huge.logsumexp(0), 1000 + math.log(2), roundings=2)
        | close("logsumexp of -1000", huge[2:].logsumexp(0), -1000, roundings=2)
        | exact(
            "of nothing but -inf",
            torch.full((3,), -math.inf, device=device, dtype=dtype).logsumexp(0),
            -math.inf,
        )
        | exact(
            "log1p of the least",
            torch.tensor([torch.finfo(dtype).smallest_normal], device=device, dtype=dtype).log1p(),
            [torch.finfo(dtype).smallest_normal],
        )
        | close(
            "expm1 of the little",
            torch.tensor([u], device=device, dtype=dtype).expm1(),
            [math.expm1(u)],
            roundings=2,
        )
    )
