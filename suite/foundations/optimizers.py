"""Worker side. Three steps of every optimizer, against formulas written out for one number in plain Python."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn

from suite.axes import is_accelerator
from suite.foundations.answers import Evidence, close

WEIGHTS: Final = (1.0, -0.75, 1.5, -1.25)
GRADIENTS: Final = ((1.0, -2.0, 0.5, 1.5), (-0.5, 1.0, 1.0, 0.25), (2.0, 0.25, -1.0, 1.0))
"""Gradients of steps 1 to 3; like the weights and rates below, exact in every dtype."""
STEPS: Final = len(GRADIENTS)

Formula = Callable[[float, Sequence[float]], list[float]]
"""(weight, gradients) -> the weight after each step."""


def sgd(*, lr: float, momentum: float = 0.0, nesterov: bool = False, decay: float = 0.0) -> Formula:
    """Return SGD's steps: b = m b + g (b = g at first); w -= lr (g + m b if Nesterov else b); g + decay w replaces g.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html
    """

    def steps(weight: float, gradients: Sequence[float]) -> list[float]:
        path, speed = [], 0.0
        for gradient in gradients:
            slope = gradient + decay * weight
            speed = momentum * speed + slope
            weight -= lr * (slope + momentum * speed if nesterov else speed)
            path.append(weight)
        return path

    return steps


def adam(
    *,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    decay: float = 0.0,
    is_decoupled: bool = False,
    is_greatest: bool = False,
) -> Formula:
    """Return Adam's steps: w -= lr m / (sqrt(v) + eps), after w -= lr decay w if decoupled.

    The moments m and v are divided by 1 - beta^t. Kingma and Ba, arXiv:1412.6980, algorithm 1; Loshchilov and Hutter,
    arXiv:1711.05101; AMSGrad keeps the greatest v (Reddi et al., arXiv:1904.09237).
    """

    def steps(weight: float, gradients: Sequence[float]) -> list[float]:
        path, first, second, greatest = [], 0.0, 0.0, 0.0
        for step, gradient in enumerate(gradients, start=1):
            slope = gradient if is_decoupled else gradient + decay * weight
            if is_decoupled:
                weight -= lr * decay * weight
            first = betas[0] * first + (1 - betas[0]) * slope
            second = betas[1] * second + (1 - betas[1]) * slope**2
            greatest = max(greatest, second) if is_greatest else second
            unbiased = first / (1 - betas[0] ** step)
            spread = math.sqrt(greatest / (1 - betas[1] ** step))
            weight -= lr * unbiased / (spread + eps)
            path.append(weight)
        return path

    return steps


def rmsprop(
    *, lr: float, alpha: float, eps: float, momentum: float = 0.0, is_centered: bool = False
) -> Formula:
    """Return RMSprop's steps: v = a v + (1 - a) g^2; b = m b + g / (sqrt(v - mean(g)^2 if centered) + eps); w -= lr b.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.RMSprop.html
    """

    def steps(weight: float, gradients: Sequence[float]) -> list[float]:
        path, second, mean, speed = [], 0.0, 0.0, 0.0
        for gradient in gradients:
            second = alpha * second + (1 - alpha) * gradient**2
            mean = alpha * mean + (1 - alpha) * gradient
            spread = math.sqrt(second - (mean**2 if is_centered else 0.0)) + eps
            speed = momentum * speed + gradient / spread
            weight -= lr * speed
            path.append(weight)
        return path

    return steps


def adagrad(*, lr: float, eps: float, lr_decay: float = 0.0, start: float = 0.0) -> Formula:
    """Return Adagrad's steps: s += g^2; w -= lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps).

    Duchi, Hazan and Singer, JMLR 12 (2011); https://docs.pytorch.org/docs/stable/generated/torch.optim.Adagrad.html
    """

    def steps(weight: float, gradients: Sequence[float]) -> list[float]:
        path, total = [], start
        for step, gradient in enumerate(gradients):
            total += gradient**2
            weight -= lr / (1 + step * lr_decay) * gradient / (math.sqrt(total) + eps)
            path.append(weight)
        return path

    return steps


def plain_sgd(device: str, dtype: torch.dtype) -> Evidence:
    """Check that SGD moves each weight by the rate times its gradient, and by its decay."""
    return _agreement(device, dtype, "SGD", {"lr": 0.125}, sgd(lr=0.125)) | _agreement(
        device, dtype, "SGD", {"lr": 0.125, "weight_decay": 0.5}, sgd(lr=0.125, decay=0.5)
    )


def momentum(device: str, dtype: torch.dtype) -> Evidence:
    """Check that SGD with momentum starts at the first gradient, keeps 0.9 of its velocity, and looks ahead with
    Nesterov.
    """
    asked = {"lr": 0.125, "momentum": 0.9}
    return _agreement(device, dtype, "SGD", asked, sgd(lr=0.125, momentum=0.9)) | _agreement(
        device,
        dtype,
        "SGD",
        {**asked, "nesterov": True},
        sgd(lr=0.125, momentum=0.9, nesterov=True),
    )


def adam_steps(device: str, dtype: torch.dtype) -> Evidence:
    """Check that Adam corrects the bias of both moments, adds eps outside the root, and adds decay to the gradient."""
    asked: dict[str, Any] = {"lr": 0.125, "betas": (0.9, 0.99), "eps": 0.125}
    return (
        _agreement(device, dtype, "Adam", asked, adam(**asked))
        | _agreement(
            device, dtype, "Adam", {**asked, "weight_decay": 0.5}, adam(**asked, decay=0.5)
        )
        | _agreement(
            device, dtype, "Adam", {**asked, "amsgrad": True}, adam(**asked, is_greatest=True)
        )
    )


def adamw_steps(device: str, dtype: torch.dtype) -> Evidence:
    """Check that AdamW decays the weights directly, apart from the gradient and its moments."""
    asked: dict[str, Any] = {"lr": 0.125, "betas": (0.9, 0.99), "eps": 0.125}
    formula = adam(**asked, decay=0.5, is_decoupled=True)
    return _agreement(device, dtype, "AdamW", {**asked, "weight_decay": 0.5}, formula)


def rmsprop_steps(device: str, dtype: torch.dtype) -> Evidence:
    """Check that RMSprop divides by the running root mean square, uncorrected, with optional momentum and centring."""
    asked: dict[str, Any] = {"lr": 0.0625, "alpha": 0.75, "eps": 0.125}
    return (
        _agreement(device, dtype, "RMSprop", asked, rmsprop(**asked))
        | _agreement(
            device, dtype, "RMSprop", {**asked, "momentum": 0.5}, rmsprop(**asked, momentum=0.5)
        )
        | _agreement(
            device,
            dtype,
            "RMSprop",
            {**asked, "centered": True},
            rmsprop(**asked, is_centered=True),
        )
    )


def adagrad_steps(device: str, dtype: torch.dtype) -> Evidence:
    """Check that Adagrad divides by the root of the sum of squares, with optional initial value and rate decay."""
    asked: dict[str, Any] = {"lr": 0.25, "eps": 0.125}
    return _agreement(device, dtype, "Adagrad", asked, adagrad(**asked)) | _agreement(
        device,
        dtype,
        "Adagrad",
        {**asked, "lr_decay": 0.5, "initial_accumulator_value": 0.25},
        adagrad(**asked, lr_decay=0.5, start=0.25),
    )


def implementations(name: str, device: str) -> tuple[str, ...]:
    """Return PyTorch's implementations of that optimizer: a loop, lists of tensors, and a fused kernel, if any."""
    # RMSprop has none; Adagrad's for CUDA came after PyTorch 2.11 (https://github.com/pytorch/pytorch/pull/177672).
    is_fused = name in ("SGD", "Adam", "AdamW") or (
        name == "Adagrad" and not is_accelerator(device)
    )
    return ("for-loop", "foreach", *(("fused",) if is_fused else ()))


def _agreement(
    device: str, dtype: torch.dtype, name: str, asked: dict[str, Any], formula: Formula
) -> Evidence:
    """Check that every implementation follows the formula for three steps, on two parameters at once."""
    paths = [formula(w, [g[i] for g in GRADIENTS]) for i, w in enumerate(WEIGHTS)]
    options = ", ".join(f"{k}={v}" for k, v in asked.items() if k not in ("lr", "betas", "eps"))
    evidence: Evidence = {}
    for way in implementations(name, device):
        whole = torch.tensor(WEIGHTS, device=device, dtype=dtype)
        parameters = [nn.Parameter(whole[:1].clone()), nn.Parameter(whole[1:].clone())]
        flags = {"foreach": way == "foreach"} if way != "fused" else {"fused": True}
        optimizer = getattr(torch.optim, name)(parameters, **asked, **flags)
        taken: list[Tensor] = []
        for gradient in torch.tensor(GRADIENTS, device=device, dtype=dtype):
            parameters[0].grad, parameters[1].grad = gradient[:1].clone(), gradient[1:].clone()
            optimizer.step()
            taken.append(torch.cat([p.detach() for p in parameters]))
        for step, got in enumerate(taken, start=1):
            # Each step rounds the weight, and its update (at most a third of the weight) some eight times.
            evidence |= close(
                f"{name}({options}), {way}, step {step}",
                got,
                [path[step - 1] for path in paths],
                roundings=4 * step,
                scale=[
                    max(abs(w), *map(abs, path)) for w, path in zip(WEIGHTS, paths, strict=True)
                ],
            )
    return evidence
