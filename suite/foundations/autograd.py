"""Worker side. Autograd: which tensors get a gradient, how gradients accumulate, and which calls raise errors."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from suite.foundations.answers import Evidence, exact, refused, same


class Doubled(torch.autograd.Function):
    """x -> 2 x with a custom backward: three times the gradient, which shows that the custom one ran."""

    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        """Return 2 x."""
        return x * 2

    @staticmethod
    def backward(context: Any, *grads: Tensor) -> Tensor:
        """Return three times the gradient."""
        return grads[0] * 3


def known_gradients(device: str, dtype: torch.dtype) -> Evidence:
    """Check gradients that are exact whole numbers: powers, products, branches, selections, broadcast axes."""
    on: dict[str, Any] = {"device": device, "dtype": dtype}
    x = torch.tensor([1.0, -2.0, 3.0], requires_grad=True, **on)
    a = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True, **on)
    b = torch.tensor([[2.0], [5.0]], requires_grad=True, **on)

    def slope(result: Tensor, of: Tensor) -> Tensor:
        (found,) = torch.autograd.grad(result, of, retain_graph=True)
        return found

    cube = (x**3).sum()
    (first,) = torch.autograd.grad(cube, x, create_graph=True)
    picked = torch.tensor([0, 0, 2], device=device)
    ones = torch.ones(2, 3, **on)
    product = a @ b
    return (
        exact("x cubed", first, [3, 12, 27])
        | exact("second derivative", slope(first.sum(), x), [6, -12, 18])
        | exact("relu", slope(x.relu().sum(), x), [1, 0, 1])
        | exact("relu at 0", slope((x - 1).relu().sum(), x), [0, 0, 1])
        | exact("absolute", slope(x.abs().sum(), x), [1, -1, 1])
        | exact("maximum", slope(x.max(), x), [0, 0, 1])
        | exact("clamped", slope(x.clamp(-1, 2).sum(), x), [1, 0, 0])
        | exact("one index twice", slope(x[picked].sum(), x), [2, 0, 1])
        | exact("where", slope(torch.where(x > 0, x * 4, x).sum(), x), [4, 1, 4])
        | exact("stretched", slope((x + ones).sum(), x), [2, 2, 2])
        | exact("product, left", slope(product.sum(), a), [[2, 5], [2, 5]])
        | exact("product, right", slope(product.sum(), b), [[4], [6]])
        | exact("sum of paths", slope((x * x + 3 * x).sum(), x), [5, -1, 9])
        | exact("vector-Jacobian", torch.autograd.grad(a * 2, a, a.detach())[0], [[2, 4], [6, 8]])
        | exact(
            "Jacobian",
            torch.autograd.functional.jacobian(lambda t: t * t, x.detach()),  # type: ignore[no-untyped-call]
            [[2, 0, 0], [0, -4, 0], [0, 0, 6]],
        )
        | exact("own backward", slope(Doubled.apply(x).sum(), x), [3, 3, 3])
    )


def tape(device: str, dtype: torch.dtype) -> Evidence:
    """Check that gradients accumulate over calls, stop at detached tensors, and that a used or changed graph raises."""
    weight = nn.Parameter(torch.tensor([2.0, 3.0], device=device, dtype=dtype))
    frozen = nn.Parameter(torch.ones(2, device=device, dtype=dtype), requires_grad=False)

    def loss() -> Tensor:
        return (weight * weight * frozen).sum()

    loss().backward()  # type: ignore[no-untyped-call]
    once = exact("one call", _grad(weight), [4, 6])
    loss().backward()  # type: ignore[no-untyped-call]
    twice = exact("two calls", _grad(weight), [8, 12])
    weight.grad = None
    (weight * weight.detach()).sum().backward()  # type: ignore[no-untyped-call]
    cut = exact("cut", _grad(weight), [2, 3])
    torch.optim.SGD([weight], lr=1.0).zero_grad()
    emptied = same("zero_grad lets go", weight.grad is None, True)
    with torch.no_grad():
        silent = loss()
        weight.mul_(2)  # an optimizer's step: allowed, and used by the next forward
    with torch.inference_mode():
        inferred = loss()
    used = loss()
    used.backward()  # type: ignore[no-untyped-call]
    root = weight.exp()
    changed = root.sum()
    with torch.no_grad():
        root.add_(1)  # exp saves its result for its backward
    seen: list[Tensor] = []
    hidden = weight * 3
    hidden.register_hook(seen.append)  # type: ignore[no-untyped-call]
    hidden.retain_grad()
    (hidden * hidden).sum().backward()  # type: ignore[no-untyped-call]
    return (
        once
        | twice
        | cut
        | emptied
        | same("frozen gets none", frozen.grad is None, True)
        | same(
            "no_grad records nothing", [silent.requires_grad, silent.grad_fn is None], [False, True]
        )
        | same(
            "nor does inference_mode",
            [inferred.requires_grad, inferred.is_inference()],
            [False, True],
        )
        | exact("an inner gradient", _grad(hidden), [24, 36])
        | exact("a hook", seen[0], [24, 36])
        | refused("a second backward", RuntimeError, used.backward)
        | refused("a value changed in place", RuntimeError, changed.backward)
        | refused("a backward of many values", RuntimeError, (weight * 1).backward)
        | refused("a backward of what needs none", RuntimeError, silent.backward)
        | refused("a leaf changed in place", RuntimeError, lambda: weight.add_(1))
    )


def _grad(tensor: Tensor) -> Tensor:
    assert tensor.grad is not None
    return tensor.grad
