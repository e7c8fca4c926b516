"""Worker side. Mixed precision: which operation runs in which dtype, and loss scaling."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from suite.axes import CUDA
from suite.foundations.answers import Evidence, close, exact, refused, same
from suite.foundations.samples import normal

LOWER: Final = (torch.bfloat16, torch.float16)
"""The lower-precision dtypes of autocast."""

PRODUCTS: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "matmul": lambda x: x @ x,
    "bmm": lambda x: torch.bmm(x[None], x[None]),
    "linear": lambda x: functional.linear(x, x),
    "conv2d": lambda x: functional.conv2d(x[None, None], x[None, None]),
    "attention": lambda x: functional.scaled_dot_product_attention(x[None], x[None], x[None]),
}
"""Run in the lower dtype on every device. Source of all three: https://docs.pytorch.org/docs/stable/amp.html"""
LOSSES: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "mse_loss": lambda x: functional.mse_loss(x, x * 2),
    "l1_loss": lambda x: functional.l1_loss(x, x * 2),
    "cross_entropy": lambda x: functional.cross_entropy(x, torch.arange(4, device=x.device)),
    "binary cross entropy": lambda x: functional.binary_cross_entropy_with_logits(x, x.sigmoid()),
    "nll_loss": lambda x: functional.nll_loss(x, torch.arange(4, device=x.device)),
}
"""Run in float32 on every device, whatever the input dtype."""
FLOAT32_ON_CUDA: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "softmax": lambda x: x.softmax(-1),
    "log_softmax": lambda x: x.log_softmax(-1),
    "exp": lambda x: x.exp(),
    "sum": lambda x: x.sum(),
    "layer_norm": lambda x: functional.layer_norm(x, (4,)),
    "pow": lambda x: x.pow(2),
}
"""Run in float32 on CUDA; a CPU keeps the input dtype and accumulates in float32."""
KEPT: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "relu": lambda x: x.relu(),
    "addition": lambda x: x + x,
    "maximum": lambda x: x.amax(-1),
    "reshape": lambda x: x.reshape(-1),
}
"""Run in the input dtype."""


def autocast(device: str, dtype: torch.dtype) -> Evidence:
    """Check that products run in the lower dtype and losses in float32; weights and their gradients stay float32.

    The cell's dtype is the lower one; a float32 cell tests both lower dtypes.
    """
    kind = torch.device(device).type
    evidence: Evidence = {}
    x = normal(4, 4, seed=1, device=device, dtype=torch.float32)
    for lower in LOWER if dtype is torch.float32 else (dtype,):
        name = str(lower).removeprefix("torch.")
        with torch.autocast(kind, dtype=lower):
            low = x @ x
            mixed = {
                **{k: (f(x), lower) for k, f in PRODUCTS.items()},
                **{k: (f(low), torch.float32) for k, f in LOSSES.items()},
                **{
                    k: (f(low), torch.float32 if kind == CUDA else lower)
                    for k, f in FLOAT32_ON_CUDA.items()
                },
                **{k: (f(low), lower) for k, f in KEPT.items()},
                "float32 and lower": (low + x, torch.float32),
                "cat of both": (torch.cat([low, x]), torch.float32),
                "a float64 product": (x.double() @ x.double(), torch.float64),
            }
            with torch.autocast(kind, enabled=False):
                mixed["switched off inside"] = (x @ x, torch.float32)
        mixed["left"] = (x @ x, torch.float32)
        for operation, (got, expected) in mixed.items():
            evidence |= same(f"{name}: {operation}", got.dtype, expected)
        evidence |= close(
            f"{name}: numbers", low, x.double() @ x.double(), roundings=4, scale=x.abs() @ x.abs()
        )
        evidence |= _training(device, lower, name)
    return evidence


def _training(device: str, lower: torch.dtype, name: str) -> Evidence:
    """Check the dtypes of a training step under autocast, and that its gradients agree with float32."""
    kind = torch.device(device).type
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)).to(device)
    x = normal(16, 6, seed=2, device=device, dtype=torch.float32)
    labels = torch.arange(16, device=device) % 3
    exact_loss = functional.cross_entropy(net(x), labels)
    known = torch.autograd.grad(exact_loss, list(net.parameters()))
    with torch.autocast(kind, dtype=lower):
        logits = net(x)
        loss = functional.cross_entropy(logits, labels)
    loss.backward()  # type: ignore[no-untyped-call]
    scale = torch.stack([g.abs().max() for g in known]).max()
    evidence = (
        same(f"{name}: logits", logits.dtype, lower)
        | same(f"{name}: loss", loss.dtype, torch.float32)
        | same(f"{name}: weights", [str(p.dtype) for p in net.parameters()], ["torch.float32"] * 4)
    )
    # Two layers forward and backward in the lower dtype: its roundings, though the results are float32.
    roundings = 16 * torch.finfo(lower).eps / torch.finfo(torch.float32).eps
    for (parameter, weight), expected in zip(net.named_parameters(), known, strict=True):
        assert weight.grad is not None
        evidence |= same(
            f"{name}: dtype of the gradient of {parameter}", weight.grad.dtype, torch.float32
        )
        evidence |= close(
            f"{name}: gradient of {parameter}",
            weight.grad,
            expected,
            roundings=roundings,
            scale=scale,
        )
    return evidence | close(f"{name}: loss's value", loss, exact_loss, roundings=roundings, scale=1)


def loss_scaling(device: str, dtype: torch.dtype) -> Evidence:
    """Check that GradScaler multiplies the loss, divides the gradients, skips steps that overflow, halves, and grows
    again.
    """
    kind = torch.device(device).type
    weight = nn.Parameter(torch.tensor([1.0, 2.0], device=device, dtype=dtype))
    optimizer = torch.optim.SGD([weight], lr=0.5)
    scaler = torch.amp.GradScaler(kind, init_scale=8.0, growth_interval=2)
    slope = torch.tensor([1.0, -0.5], device=device, dtype=dtype)

    def step(factor: float) -> dict[str, Any]:
        optimizer.zero_grad()
        scaled = scaler.scale((weight * slope * factor).sum())
        scaled.backward()  # type: ignore[no-untyped-call]
        assert weight.grad is not None
        seen: dict[str, Any] = {"scaled": weight.grad.clone()}
        scaler.unscale_(optimizer)
        seen["unscaled"] = weight.grad.clone()
        scaler.step(optimizer)
        scaler.update()
        return {**seen, "weight": weight.detach().clone(), "scale": scaler.get_scale()}

    first, overflow, second, third = step(1), step(math.inf), step(1), step(1)
    disabled = torch.amp.GradScaler(kind, enabled=False)
    twice = torch.optim.SGD([weight], lr=0.5)
    scaler.scale(weight.sum()).backward()  # type: ignore[no-untyped-call]
    scaler.unscale_(twice)
    return (
        exact("scaled gradient", first["scaled"], [8, -4])
        | exact("unscaled gradient", first["unscaled"], [1, -0.5])
        | exact("weights after a step", first["weight"], [0.5, 2.25])
        | exact("weights after an overflow", overflow["weight"], [0.5, 2.25])
        | same("scale after an overflow", overflow["scale"], 4.0)
        | exact("the next scaled gradient", second["scaled"], [4, -2])
        | exact("the next step", second["weight"], [0, 2.5])
        | same("scale after two good steps", [second["scale"], third["scale"]], [4.0, 8.0])
        | exact("disabled", disabled.scale(weight.detach().sum()), 2.25)
        | refused("unscaling twice", RuntimeError, lambda: scaler.unscale_(twice))
    )
