"""Worker side. Ready inputs of a record: named as arguments of `forward`, and made to a number of samples."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor

from suite.spec import ModelSpec

BATCH: Final = "batch"
NOISE: Final = 0.1
"""Standard deviation of the noise that makes a second input of one of floats, in standard deviations of it."""
_ARGUMENTS: dict[str, list[str]] = {}
"""Model -> argument names of its forward, once per process."""


def named_inputs(spec: ModelSpec, given: Any) -> dict[str, Any]:
    """Return argument of `forward` -> input: as named in a dictionary, in order for a tensor or a tuple.

    Raise ValueError for anything that is no tensor or list of tensors.
    """
    if isinstance(given, Mapping):
        named = {str(name): value for name, value in given.items()}
    else:
        values = given if isinstance(given, (tuple, list)) else (given,)
        names = _argument_names(spec, len(values))
        named = dict(zip(names, values, strict=True))
    for name, value in named.items():
        items = value if isinstance(value, (tuple, list)) and value else (value,)
        if not all(isinstance(item, Tensor) for item in items):
            raise ValueError(
                f"model {spec.name!r}: input `{name}` is {type(value).__name__}; expected a tensor or a list of"
                " tensors. Next: bind other arguments in build(), e.g. by a module that calls yours with them"
            )
    return named


def _argument_names(spec: ModelSpec, count: int) -> list[str]:
    """Return the names of the first `count` inputs: of the record's `arguments` {"0": ...}, or of forward."""
    known = [spec.arguments.get(str(place), "") for place in range(count)]
    if all(known):
        return known
    if spec.name not in _ARGUMENTS:
        size = next(iter(spec.sizes.values()))
        _ARGUMENTS[spec.name] = forward_arguments(spec.build(**size.build))
    names = _ARGUMENTS[spec.name]
    if len(names) < count:
        raise ValueError(
            f"model {spec.name!r}: {count} inputs are given, and forward takes {len(names)}"
            f" ({', '.join(names) or 'none by name'}); expected at most as many, or a dictionary by argument"
        )
    return names[:count]


def forward_arguments(module: Any) -> list[str]:
    """Return the names of the arguments of the module's forward that a call may name."""
    forward = getattr(module, "forward", module)
    parameters = inspect.signature(forward).parameters.values()
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [p.name for p in parameters if p.kind in named]


def rows_of(values: Mapping[str, Tensor], count: int) -> dict[str, Tensor]:
    """Return the first `count` samples; with fewer there, they repeat."""
    return {
        name: tensor
        if len(tensor) == count
        else tensor[torch.arange(count, device=tensor.device) % len(tensor)]
        for name, tensor in values.items()
    }


def cut_or_repeated(
    spec: ModelSpec, values: Mapping[str, Any], *, num_samples: int, seed: int
) -> dict[str, Any]:
    """Return the inputs with `num_samples` samples along the axes that `export.dynamic` calls "batch".

    Seed 0 gives the inputs themselves; what is beyond their samples, and other seeds, differ from them: floats by
    noise within their range, integers (tokens) by another order along the last axis, the same in all; beside floats,
    integers of one axis (labels, extents) stay.
    Raise ValueError for more than one sample of inputs without a batch axis.
    """
    axes = {
        name: axis
        for name, held in spec.export.dynamic.items()
        for axis, label in held.items()
        if label == BATCH and name in values
    }
    if num_samples > 1 and not axes:
        raise ValueError(
            f"model {spec.name!r}: its inputs have no batch axis, so --batch {num_samples} cannot be made of them;"
            ' next: --batch 1, or export=Export(dynamic={"x": {0: "batch"}}) on its record'
        )
    pieces: list[dict[str, Any]] = []
    have = 0
    while have < num_samples:
        own = values if not seed and not pieces else _other(values, seed + 7919 * len(pieces))
        pieces.append(dict(own))
        have += min((_extent(values[name], axis) for name, axis in axes.items()), default=1)
    result = dict(pieces[0])
    for name, axis in axes.items():
        parts = [piece[name] for piece in pieces]
        result[name] = _joined(parts, axis, num_samples)
    return result


def _extent(value: Any, axis: int) -> int:
    return int(value[0].shape[axis] if isinstance(value, (list, tuple)) else value.shape[axis])


def _joined(parts: Sequence[Any], axis: int, count: int) -> Any:
    if isinstance(parts[0], (list, tuple)):
        return [_joined([p[i] for p in parts], axis, count) for i in range(len(parts[0]))]
    whole = torch.cat(list(parts), dim=axis) if len(parts) > 1 else parts[0]
    return whole if whole.shape[axis] == count else whole.narrow(axis, 0, count).contiguous()


def _other(values: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Return inputs like these that are others."""
    generator = torch.Generator().manual_seed(seed)
    tensors = [t for v in values.values() for t in (v if isinstance(v, (list, tuple)) else (v,))]
    has_floats = any(t.is_floating_point() for t in tensors)

    def one(tensor: Tensor) -> Tensor:
        if tensor.is_floating_point():
            noise = torch.randn(tensor.shape, generator=generator).to(tensor.dtype)
            spread = (
                tensor.float().std(correction=0).to(tensor.dtype) if tensor.numel() > 1 else 1.0
            )
            return (tensor + NOISE * spread * noise).clamp(tensor.min(), tensor.max())
        if tensor.ndim < 1 + has_floats or tensor.dtype is torch.bool:
            return tensor
        length = tensor.shape[-1]
        order = torch.randperm(length, generator=torch.Generator().manual_seed(seed))
        return tensor[..., order]

    return {
        name: [one(item) for item in value] if isinstance(value, (list, tuple)) else one(value)
        for name, value in values.items()
    }
