"""Worker side. The same input in the three shapes it is needed: on a device, flattened by name, as NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree


def flatten_inputs(inputs: Mapping[str, Any]) -> dict[str, Tensor]:
    """Graph input name -> tensor: a list under `images` becomes `images_0`, `images_1` ..."""
    flat: dict[str, Tensor] = {}
    for name, value in inputs.items():
        if isinstance(value, Tensor):
            flat[name] = value
        else:
            flat.update({f"{name}_{i}": item for i, item in enumerate(value)})
    return flat


def flatten_outputs(result: Any) -> list[Tensor]:
    """The tensors in a model's (nested) result, in the order in which they lie there."""
    return [leaf for leaf in pytree.tree_leaves(result) if isinstance(leaf, Tensor)]


def move(inputs: Mapping[str, Any], device: str, dtype: torch.dtype) -> dict[str, Any]:
    """The inputs on `device`, floating-point ones as `dtype`; integers keep their type."""

    def one(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        return value.to(device, dtype) if value.is_floating_point() else value.to(device)

    moved: dict[str, Any] = pytree.tree_map(one, dict(inputs))
    return moved
