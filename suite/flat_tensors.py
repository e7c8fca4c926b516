"""Worker side. Inputs, outputs and weights in the form that a backend needs: on a device, in a dtype, flat by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
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


def flatten_outputs(result: Any, names: Sequence[str] = ()) -> list[Tensor]:
    """The tensors in a model's (nested) result, in the order in which they lie there.

    With `names`, a dictionary of tensors under these keys, or a list of such dictionaries, is put into their order: a
    record names outputs by what they are, and a model may list them otherwise. Raises ValueError when a dictionary has
    some of the names at other places than the record and cannot be put in order by them.
    """
    return [leaf for leaf in pytree.tree_leaves(in_order(result, names)) if _is_tensor(leaf)]


def in_order(result: Any, names: Sequence[str]) -> Any:
    """The result with its dictionaries in the order of `names`, where their keys are these names."""
    if isinstance(result, (list, tuple)) and result and all(_is_dict(item) for item in result):
        return [in_order(item, names) for item in result]
    if not names or not _is_dict(result):
        return result
    leaves = [leaf for leaf in pytree.tree_leaves(result) if _is_tensor(leaf)]
    keys = [key for key, value in result.items() if _is_tensor(value)]
    if len(leaves) != len(names):
        return result  # not what the record names: the caller counts them
    if set(keys) == set(names):
        return [result[name] for name in names]
    for key in keys:
        at = next(i for i, leaf in enumerate(leaves) if leaf is result[key])
        if key in names and names.index(key) != at:
            raise ValueError(
                f"the model returns `{key}` as output {at}, and its record names it output {names.index(key)}; it"
                f" returns {', '.join(map(str, result))}. Next: give `outputs` in that order, or name every key"
            )
    return result


def _is_dict(value: Any) -> bool:
    """A dictionary, or what transformers returns, which behaves as one."""
    return isinstance(value, Mapping)


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor)


def move(inputs: Mapping[str, Any], device: str, dtype: torch.dtype) -> dict[str, Any]:
    """The inputs on `device`, floating-point ones as `dtype`; integers keep their type."""

    def one(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        return value.to(device, dtype) if value.is_floating_point() else value.to(device)

    moved: dict[str, Any] = pytree.tree_map(one, dict(inputs))
    return moved


def cast(module: nn.Module, device: str, dtype: torch.dtype) -> nn.Module:
    """The module on `device` with its floating-point weights as `dtype`; complex ones keep their type.

    `module.to(dtype)` would drop their imaginary parts with a warning.
    """
    tensors = [*module.parameters(), *module.buffers()]
    if not any(tensor.is_complex() for tensor in tensors):
        return module.to(device, dtype)
    module = module.to(device)
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.is_floating_point():
            tensor.data = tensor.data.to(dtype)
    return module
