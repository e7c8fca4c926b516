"""Worker side. Layers: the order in which a model runs them, their gradients, and their dead units."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any, Final

import torch
from torch import Tensor, nn

ACTIVATIONS: Final = (nn.ReLU, nn.ReLU6, nn.Hardtanh)
"""Modules whose units can die: their output is exactly 0 over a whole range."""


def in_order(module: nn.Module, call: Callable[[], Any], *, is_whole: bool = True) -> list[str]:
    """Return the names of the layers with weights of their own, in the order in which `call` first finishes them.

    Layers that do not run come first, in registration order, because no other layer depends on them; without `is_whole`
    they are left out. A layer is a module that has parameters itself.
    """
    own = {
        name: layer
        for name, layer in module.named_modules()
        if name and any(True for _ in layer.parameters(recurse=False))
    }
    seen: dict[str, None] = {}
    with ExitStack() as stack:
        for name, layer in own.items():
            handle = layer.register_forward_hook(
                lambda _m, _i, _o, name=name: seen.setdefault(name)
            )
            stack.callback(handle.remove)
        with torch.no_grad():
            call()
    return [*(name for name in own if is_whole and name not in seen), *seen]


def head_of(names: Iterable[str], layers: list[str]) -> list[str]:
    """Return the layers inside the modules `names`; without names, the last layer."""
    asked = tuple(names)
    if not asked:
        return layers[-1:]
    found = [
        layer for layer in layers if any(layer == a or layer.startswith(f"{a}.") for a in asked)
    ]
    missing = [
        a for a in asked if not any(layer == a or layer.startswith(f"{a}.") for layer in layers)
    ]
    if missing:
        raise ValueError(
            f"ModelSpec.head names {missing}, which have no weights; the last layers are {layers[-4:]}"
        )
    return found


def gradients(module: nn.Module) -> dict[str, float]:
    """Return layer -> root mean square of the current gradients of its own weights."""
    found = {}
    for name, layer in module.named_modules():
        own = [p.grad for p in layer.parameters(recurse=False) if p.grad is not None]
        size = sum(g.numel() for g in own)
        if size:
            total = sum(float(g.detach().float().square().sum()) for g in own)
            found[name or "(model)"] = (total / size) ** 0.5
    return found


def dead_shares(module: nn.Module, call: Callable[[], Any]) -> dict[str, float]:
    """Return activation -> share of its channels (or features) that are zero for all inputs that `call` passes."""
    alive: dict[str, Tensor] = {}

    def hook_for(name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if not isinstance(output, Tensor) or output.dim() < 2:
                return
            axis = 1 if output.dim() in (4, 5) else output.dim() - 1
            others = [d for d in range(output.dim()) if d != axis]
            active = (output.detach() > 0).any(dim=0) if not others else output.detach() > 0
            for dim in sorted(others, reverse=True):
                active = active.any(dim=dim)
            before = alive.get(name)
            alive[name] = (
                active if before is None or before.shape != active.shape else before | active
            )

        return hook

    with ExitStack() as stack:
        for name, layer in module.named_modules():
            if isinstance(layer, ACTIVATIONS):
                stack.callback(layer.register_forward_hook(hook_for(name)).remove)
        with torch.no_grad():
            call()
    return {name: 1.0 - float(active.float().mean()) for name, active in alive.items()}
