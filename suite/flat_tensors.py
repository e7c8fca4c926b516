"""Worker side. Conversion of inputs, outputs and weights for a backend: device, dtype, and flat naming."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree


def flatten_inputs(inputs: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return graph input name -> tensor: a list under `images` becomes `images_0`, `images_1` ..."""
    flat: dict[str, Tensor] = {}
    for name, value in inputs.items():
        if isinstance(value, Tensor):
            flat[name] = value
        else:
            flat.update({f"{name}_{i}": item for i, item in enumerate(value)})
    return flat


def feeds_of(names: Sequence[str], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return graph input name -> NumPy array; inputs that the exporter removed as unused are left out."""
    tensors = flatten_inputs(inputs)
    missing = [name for name in names if name not in tensors]
    if missing:
        raise ValueError(f"the graph wants the inputs {missing}; the batch has {sorted(tensors)}")
    return {name: tensors[name].contiguous().numpy() for name in names}


def flatten_outputs(result: Any, names: Sequence[str] = ()) -> list[Tensor]:
    """Return the tensors in a model's (nested) result, in their order there.

    With `names`, a dictionary of tensors with these keys, or a list of such dictionaries, is reordered: a record names
    outputs by meaning, and a model may return them in another order. Raise ValueError if a dictionary has only some of
    the names, at other positions than the record, and so cannot be reordered.
    """
    return [
        leaf for leaf in pytree.tree_leaves(in_order(as_plain(result), names)) if _is_tensor(leaf)
    ]


def as_plain(result: Any) -> Any:
    """Return a dataclass as a dictionary of its fields; a transformers output is one already. The rest is unchanged."""
    if is_dataclass(result) and not isinstance(result, (type, Mapping)):
        return {item.name: as_plain(getattr(result, item.name)) for item in fields(result)}
    return result


def in_order(result: Any, names: Sequence[str]) -> Any:
    """Return the result with dictionaries whose keys are `names` in that order."""
    if isinstance(result, (list, tuple)) and result and all(_is_dict(item) for item in result):
        return [in_order(item, names) for item in result]
    if not names or not _is_dict(result):
        return result
    leaves = [leaf for leaf in pytree.tree_leaves(result) if _is_tensor(leaf)]
    keys = [key for key, value in result.items() if _is_tensor(value)]
    if len(leaves) != len(names):
        return result  # a mismatch with the record: the caller compares the counts
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
    """Return whether `value` is a dictionary or a transformers output, which behaves like one."""
    return isinstance(value, Mapping)


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor)


def move(inputs: Mapping[str, Any], device: str, dtype: torch.dtype) -> dict[str, Any]:
    """Return the inputs on `device`, floating-point ones as `dtype`; integers keep their type."""

    def one(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        return value.to(device, dtype) if value.is_floating_point() else value.to(device)

    moved: dict[str, Any] = pytree.tree_map(one, dict(inputs))
    return moved


def cast(module: nn.Module, device: str, dtype: torch.dtype) -> nn.Module:
    """Move the module to `device` and its floating-point weights to `dtype`; complex ones keep their type.

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
