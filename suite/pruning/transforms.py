"""Worker side. Replacement of layers that Torch-Pruning does not support by equivalent ones that it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import nn


@dataclass(frozen=True, slots=True, kw_only=True)
class Transform:
    """One kind of replacement."""

    name: str
    suits: Callable[[nn.Module], bool]
    apply: Callable[[Any], nn.Module]
    """Returns the new layer with the old one's weights."""
    gives: type[nn.Module]
    why: str


def _is_conv1d(module: nn.Module) -> bool:
    """Return True for transformers' Conv1D, by name, to avoid importing transformers."""
    kind = type(module)
    return kind.__name__ == "Conv1D" and kind.__module__.startswith("transformers.")


def _to_linear(layer: Any) -> nn.Linear:
    num_in, num_out = layer.weight.shape
    linear = nn.Linear(num_in, num_out, device="meta")
    with torch.no_grad():
        linear.weight = nn.Parameter(layer.weight.t().contiguous(), layer.weight.requires_grad)
        linear.bias = nn.Parameter(layer.bias.clone(), layer.bias.requires_grad)
    return linear.train(layer.training)


TRANSFORMS: Final = {
    row.name: row
    for row in (
        Transform(
            name="conv1d_to_linear",
            suits=_is_conv1d,
            apply=_to_linear,
            gives=nn.Linear,
            why="Torch-Pruning takes transformers' Conv1D (GPT-2) for an element-wise operation and prunes nothing",
        ),
    )
}
"""Name -> transform; a saved structure refers to them by name."""


def apply_transforms(module: nn.Module) -> None:
    """Replace every layer that a row of TRANSFORMS suits, in place."""
    for row in TRANSFORMS.values():
        for name in [name for name, layer in module.named_modules() if row.suits(layer)]:
            apply_transform(module, row.name, name)


def apply_transform(module: nn.Module, transform: str, name: str) -> None:
    """Replace the submodule `name`, in place; raises KeyError for an unknown transform."""
    parent, _, child = name.rpartition(".")
    setattr(
        module.get_submodule(parent),
        child,
        TRANSFORMS[transform].apply(module.get_submodule(name)),
    )
