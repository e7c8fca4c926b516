"""Worker side. What pruning changed in a module apart from its weights, as JSON, and its restoration without pickle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from suite.pruning.errors import PruningError
from suite.pruning.transforms import TRANSFORMS, apply_transform


def structure_of(pruned: nn.Module, original: nn.Module) -> dict[str, Any]:
    """Return {"transforms": {name: [modules]}, "attributes": {module: {attribute: value}}}, JSON-able.

    `attributes` holds every integer and tuple or list of integers that differs (`out_channels`, `num_features`,
    `normalized_shape`, `num_attention_heads` ...). With the state dict it is all that `restore` needs. Raises
    PruningError when the two differ in a way that cannot be restored.
    """
    before, after = list(dict(original.named_modules())), list(dict(pruned.named_modules()))
    if before != after:
        names = sorted(set(before) ^ set(after)) or ["their order"]
        raise PruningError(f"pruning may not add or remove modules; they differ in {names[:5]}")
    transforms: dict[str, list[str]] = {}
    attributes = {}
    for name, transform, row in _compared(pruned, original):
        if transform:
            transforms.setdefault(transform, []).append(name)
        if row:
            attributes[name] = {key: after for key, (_, after) in row.items()}
    _refuse_unsaved(pruned, original)
    return {"transforms": transforms, "attributes": attributes}


def restore(
    fresh: nn.Module, structure: Mapping[str, Any], state_dict: Mapping[str, Tensor]
) -> nn.Module:
    """Turn `fresh`, a module as built, into the pruned one, in place: replace layers, narrow them and load the weights.

    `state_dict` may hold tied tensors once, as safetensors does; they stay tied. Raises PruningError when names or
    shapes do not fit.
    """
    for transform, names in structure["transforms"].items():
        if transform not in TRANSFORMS:
            raise PruningError(
                f"transform {transform!r} is unknown; this version has {', '.join(TRANSFORMS)}."
                " The pruned model was saved by another version: prune again"
            )
        for name in names:
            apply_transform(fresh, transform, name)
    for name, values in structure["attributes"].items():
        module = fresh.get_submodule(name)
        for key, value in values.items():
            old = getattr(module, key)
            setattr(module, key, tuple(value) if isinstance(old, tuple) else value)
    _resize(fresh, state_dict)
    _load(fresh, state_dict)
    return fresh


def changes(pruned: nn.Module, original: nn.Module) -> dict[str, dict[str, list[Any]]]:
    """Return module -> attribute -> [before, after], for display."""
    return {name: row for name, _, row in _compared(pruned, original) if row}


def _compared(
    pruned: nn.Module, original: nn.Module
) -> Iterator[tuple[str, str, dict[str, list[Any]]]]:
    """Yield every submodule's name, the transform that replaced it (or ""), and attribute -> [before, after]."""
    before = dict(original.named_modules())
    for name, new in pruned.named_modules():
        old, transform = before[name], ""
        if type(old) is not type(new):
            transform = _transform_between(name, old, new)
            old = TRANSFORMS[transform].apply(old)
        values = _integers(old)
        yield (
            name,
            transform,
            {k: [values[k], value] for k, value in _integers(new).items() if values[k] != value},
        )


def _transform_between(name: str, old: nn.Module, new: nn.Module) -> str:
    for row in TRANSFORMS.values():
        if row.suits(old) and type(new) is row.gives:
            return row.name
    raise PruningError(
        f"{name}: a {type(old).__name__} became a {type(new).__name__}, which no row of TRANSFORMS"
        " (suite/pruning/transforms.py) does"
    )


def _integers(module: nn.Module) -> dict[str, Any]:
    """Return the attributes that are integers or lists of integers, in the form that JSON returns."""
    found: dict[str, Any] = {}
    for key, value in vars(module).items():
        if isinstance(value, int) and not isinstance(value, bool):
            found[key] = value
        elif isinstance(value, (tuple, list)) and all(type(item) is int for item in value):
            found[key] = list(value)
    return found


def _refuse_unsaved(pruned: nn.Module, original: nn.Module) -> None:
    """Raise PruningError when a tensor outside the state dict changed its shape."""
    saved, shapes = pruned.state_dict(), dict(original.named_buffers())
    for name, buffer in pruned.named_buffers():
        if name not in saved and buffer.shape != shapes[name].shape:
            raise PruningError(
                f"the buffer {name} is not persistent and was narrowed from {list(shapes[name].shape)} to"
                f" {list(buffer.shape)}: a saved model could not be restored. Next: register it with persistent=True,"
                " or name what it belongs to in Pruning.ignored"
            )


def _resize(module: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Replace parameters and buffers of other shapes by empty ones; tied ones by the same tensor."""
    exchanged: dict[int, Tensor] = {}
    old_tensors = _tensors(module)
    for name, (_, _, old) in old_tensors.items():
        new = state_dict.get(name)
        if new is not None and new.shape != old.shape and id(old) not in exchanged:
            empty = torch.empty(new.shape, dtype=old.dtype, device=old.device)
            exchanged[id(old)] = (
                nn.Parameter(empty, old.requires_grad) if isinstance(old, nn.Parameter) else empty
            )
    for owner, key, old in old_tensors.values():
        if id(old) in exchanged:
            setattr(owner, key, exchanged[id(old)])  # nn.RNNBase overrides __setattr__


def _tensors(module: nn.Module) -> dict[str, tuple[nn.Module, str, Tensor]]:
    """Return full name -> owner, own name, tensor; tied tensors under each of their names."""
    return {
        f"{prefix}.{key}" if prefix else key: (owner, key, tensor)
        for prefix, owner in module.named_modules()
        for key, tensor in (*owner._parameters.items(), *owner._buffers.items())
        if tensor is not None
    }


def _load(module: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    try:
        keys = module.load_state_dict(state_dict, strict=False)
    except RuntimeError as error:
        raise PruningError(f"the weights do not fit the structure: {error}") from error
    tensors = {name: id(tensor) for name, (_, _, tensor) in _tensors(module).items()}
    loaded = {tensors[name] for name in state_dict if name in tensors}
    missing = [name for name in keys.missing_keys if tensors[name] not in loaded]
    if missing or keys.unexpected_keys:
        raise PruningError(
            f"these are not the weights of this module: missing {missing[:5]}, unexpected {keys.unexpected_keys[:5]}"
            f" ({len(missing)} and {len(keys.unexpected_keys)} in all)"
        )
