"""Worker side. Losses and their gradients, against sums written out in plain Python."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional

from suite.foundations.answers import Evidence, close, exact
from suite.foundations.samples import array, normal

Row = Sequence[float]

LABELS: Final = (2, 0, 3, 1, 3)
CLASS_WEIGHTS: Final = (0.5, 1.0, 2.0, 4.0)
"""Powers of two: exact in every dtype."""
SMOOTHING: Final = 0.25
IGNORED: Final = 1
"""The label that `ignore_index` names."""


def log_softmax(row: Row) -> list[float]:
    """Return log(exp(x_i) / sum exp(x_j)), shifted by the largest."""
    top = max(row)
    total = top + math.log(math.fsum(math.exp(x - top) for x in row))
    return [x - total for x in row]


def cross_entropy_of(
    logits: Sequence[Row],
    labels: Sequence[int],
    *,
    weights: Row | None = None,
    smoothing: float = 0.0,
    ignored: int | None = None,
) -> float:
    """Return the mean of -(1 - s) w_y log p_y - s/C sum_c w_c log p_c over the labels kept, divided by the sum of their
    w_y.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    factors = weights or [1.0] * len(logits[0])
    total = norm = 0.0
    for row, label in zip(logits, labels, strict=True):
        if label == ignored:
            continue
        logs = log_softmax(row)
        spread = math.fsum(w * log for w, log in zip(factors, logs, strict=True)) / len(row)
        total -= (1 - smoothing) * factors[label] * logs[label] + smoothing * spread
        norm += factors[label]
    return total / norm


def mean_squared_error(device: str, dtype: torch.dtype) -> Evidence:
    """Check MSE (mean of squared differences, gradient 2 (x - t) / n), L1 and Huber against their formulas."""
    x = torch.tensor([[1.0, 2.0], [-3.0, 0.5]], device=device, dtype=dtype, requires_grad=True)
    target = torch.tensor([[0.0, 4.0], [-3.0, 1.0]], device=device, dtype=dtype)
    # Differences 1, -2, 0, -0.5: every figure below is exact in every dtype.
    loss = functional.mse_loss(x, target)
    (slope,) = torch.autograd.grad(loss, x)
    (slope_l1,) = torch.autograd.grad(functional.l1_loss(x, target, reduction="sum"), x)
    (slope_huber,) = torch.autograd.grad(functional.huber_loss(x, target, reduction="sum"), x)
    return (
        exact("mean", loss, 5.25 / 4)
        | exact("sum", functional.mse_loss(x, target, reduction="sum"), 5.25)
        | exact("none", functional.mse_loss(x, target, reduction="none"), [[1, 4], [0, 0.25]])
        | exact("module", torch.nn.MSELoss()(x, target), 5.25 / 4)
        | exact("gradient", slope, [[0.5, -1], [0, -0.25]])
        | exact("L1", functional.l1_loss(x, target), 3.5 / 4)
        | exact("gradient of L1", slope_l1, [[1, -1], [0, -1]])
        | exact(
            "Huber", functional.huber_loss(x, target, reduction="none"), [[0.5, 1.5], [0, 0.125]]
        )
        | exact("gradient of Huber", slope_huber, [[1, -1], [0, -0.5]])
        | exact(
            "smooth L1",
            functional.smooth_l1_loss(x, target, reduction="none", beta=2.0),
            [[0.25, 1], [0, 0.0625]],
        )
    )


def cross_entropy(device: str, dtype: torch.dtype) -> Evidence:
    """Check cross entropy with label smoothing, ignored labels, class weights and soft targets, and its gradient."""
    x = normal(5, 4, seed=1, device=device, dtype=dtype, requires_grad=True)
    logits: list[list[float]] = array(x).tolist()
    labels = torch.tensor(LABELS, device=device)
    weights = torch.tensor(CLASS_WEIGHTS, device=device, dtype=dtype)
    logs = [log_softmax(row) for row in logits]
    each = [-row[label] for row, label in zip(logs, LABELS, strict=True)]
    # The logarithm, the weighted sum and the mean are rounded, each no larger than the largest logarithm.
    rounding: dict[str, Any] = {"roundings": 3, "scale": max(-min(row) for row in logs)}
    options: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "mean": ({}, {}),
        "smoothed": ({"label_smoothing": SMOOTHING}, {"smoothing": SMOOTHING}),
        "ignored": ({"ignore_index": IGNORED}, {"ignored": IGNORED}),
        "weighted": ({"weight": weights}, {"weights": CLASS_WEIGHTS}),
        "all of them": (
            {"weight": weights, "label_smoothing": SMOOTHING, "ignore_index": IGNORED},
            {"weights": CLASS_WEIGHTS, "smoothing": SMOOTHING, "ignored": IGNORED},
        ),
    }
    evidence: Evidence = {}
    for name, (asked, known) in options.items():
        got = functional.cross_entropy(x, labels, **asked)
        evidence |= close(name, got, cross_entropy_of(logits, LABELS, **known), **rounding)
    soft = torch.full((5, 4), 0.25, device=device, dtype=dtype)
    expected_soft = -math.fsum(math.fsum(row) / 4 for row in logs) / 5
    (slope,) = torch.autograd.grad(functional.cross_entropy(x, labels), x)
    shares = [
        [(math.exp(log) - (c == label)) / 5 for c, log in enumerate(row)]
        for row, label in zip(logs, LABELS, strict=True)
    ]
    (slope_ignored,) = torch.autograd.grad(
        functional.cross_entropy(x, labels, ignore_index=IGNORED), x
    )
    return (
        evidence
        | close("none", functional.cross_entropy(x, labels, reduction="none"), each, **rounding)
        | close(
            "sum",
            functional.cross_entropy(x, labels, reduction="sum"),
            sum(each),
            roundings=6,
            scale=sum(each),
        )
        | close("soft targets", functional.cross_entropy(x, soft), expected_soft, **rounding)
        | close("nll", functional.nll_loss(x.log_softmax(1), labels), sum(each) / 5, **rounding)
        # Softmax minus one at the label: exp of a rounded logarithm is off by |log| roundings.
        | close("gradient", slope, shares, roundings=8, scale=0.2)
        | exact("gradient of an ignored row", slope_ignored[LABELS.index(IGNORED)], [0, 0, 0, 0])
        | close("huge logits", _of_huge_logits(device, dtype), [0.0, 2048.0], roundings=1)
    )


def _of_huge_logits(device: str, dtype: torch.dtype) -> Tensor:
    """Return the losses of a confident correct prediction (0) and a confident wrong one (its margin); never a NaN."""
    huge = torch.tensor([[1024.0, -1024.0]] * 2, device=device, dtype=dtype)
    return functional.cross_entropy(huge, torch.tensor([0, 1], device=device), reduction="none")


def binary_cross_entropy(device: str, dtype: torch.dtype) -> Evidence:
    """Check binary cross entropy from logits, its positive weight and gradient, and Kullback-Leibler divergence."""
    x = normal(8, seed=2, device=device, dtype=dtype, requires_grad=True)
    logits = array(x).tolist()
    truths = [0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0]
    target = torch.tensor(truths, device=device, dtype=dtype)

    def each(positive: float) -> list[float]:
        soft = [math.log1p(math.exp(-z)) for z in logits]  # -log sigmoid(z)
        return [
            positive * t * s + (1 - t) * (z + s)
            for z, t, s in zip(logits, truths, soft, strict=True)
        ]

    loss = functional.binary_cross_entropy_with_logits
    (slope,) = torch.autograd.grad(loss(x, target, reduction="sum"), x)
    expected = [1 / (1 + math.exp(-z)) - t for z, t in zip(logits, truths, strict=True)]
    p, q = [0.5, 0.25, 0.25], [0.25, 0.25, 0.5]
    divergence = math.fsum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    log_q = torch.tensor([q], device=device, dtype=dtype).log()
    three = torch.full((), 3.0, device=device, dtype=dtype)
    ends = torch.tensor([-1024.0, 1024.0], device=device, dtype=dtype)
    return (
        close("mean", loss(x, target), sum(each(1)) / 8, roundings=6, scale=max(each(1)))
        | close(
            "weighted",
            loss(x, target, pos_weight=three),
            sum(each(3)) / 8,
            roundings=6,
            scale=max(each(3)),
        )
        | close("gradient", slope, expected, roundings=4, scale=1)
        | exact("sure", loss(ends, (ends > 0).to(dtype), reduction="none"), [0, 0])
        | exact("sure and wrong", loss(ends, (ends < 0).to(dtype), reduction="none"), [1024, 1024])
        | close(
            "Kullback-Leibler",
            functional.kl_div(
                log_q, torch.tensor([p], device=device, dtype=dtype), reduction="batchmean"
            ),
            divergence,
            roundings=6,
            scale=max(-math.log(v) for v in q),
        )
    )
