"""Worker side. The control arm: single weights set to zero, which makes nothing smaller or faster."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils import prune

from suite.pruning.errors import PruningError
from suite.pruning.layers import modules_named
from suite.results.prune import Masks


def mask_module(module: nn.Module, amount: float, head: tuple[str, ...]) -> Masks:
    """Set the share `amount` (0..1) of all weights, the smallest of the whole model, to zero, in place.

    Covers weights with two axes or more outside `head` (names or globs), except embeddings and bare parameters. The
    masks are folded into the weights (`prune.remove`): names, shapes and bytes of the state dict stay the same. Raises
    PruningError when there is nothing to mask, or the sparsity is not the requested one.
    """
    if not 0 < amount < 1:
        raise PruningError(f"amount is {amount!r}; expected a share above 0 and below 1")
    chosen = _weights(module, modules_named(module, head))
    if not chosen:
        raise PruningError("nothing to mask: no weights of two axes or more outside the head")
    before = [module.get_parameter(name) for name, _, _ in chosen]
    size, shapes = _size(module), _shapes(module)
    pairs = [(owner, key) for _, owner, key in chosen]
    prune.global_unstructured(pairs, pruning_method=prune.L1Unstructured, amount=amount)
    for owner, key in pairs:
        prune.remove(owner, key)  # type: ignore[no-untyped-call]
    weights = sum(parameter.numel() for parameter in before)
    zeros = sum(int((module.get_parameter(name) == 0).sum()) for name, _, _ in chosen)
    if abs(zeros - amount * weights) > 1:
        raise PruningError(
            f"{zeros:,} of {weights:,} weights are zero ({zeros / weights:.4f}) where {amount:g} was asked for;"
            " weights that were zero before, or equal ones at the threshold, add to it"
        )
    if _shapes(module) != shapes:
        raise PruningError("masking changed the state dict's names, shapes or types")
    after = _size(module)
    return Masks(
        sparsity=zeros / weights,
        weights=weights,
        parameters=(size[0], after[0]),
        bytes=(size[1], after[1]),
    )


def _weights(module: nn.Module, head: frozenset[nn.Module]) -> list[tuple[str, nn.Module, str]]:
    """Return full name, owner and own name of every weight to mask; a tied weight once."""
    tied_or_kept = {
        id(parameter)
        for layer in module.modules()
        if layer in head or isinstance(layer, nn.Embedding)
        for parameter in layer.parameters(recurse=False)
    }
    found = []
    for prefix, owner in module.named_modules():
        for key, parameter in owner.named_parameters(recurse=False):
            if "weight" in key and parameter.dim() > 1 and id(parameter) not in tied_or_kept:
                tied_or_kept.add(id(parameter))
                found.append((f"{prefix}.{key}" if prefix else key, owner, key))
    return found


def _size(module: nn.Module) -> tuple[int, int]:
    """Return the number of parameters, and the bytes of parameters and buffers."""
    parameters = list(module.parameters())
    tensors = (*parameters, *module.buffers())
    return sum(p.numel() for p in parameters), sum(t.numel() * t.element_size() for t in tensors)


def _shapes(module: nn.Module) -> dict[str, tuple[torch.Size, torch.dtype]]:
    return {name: (t.shape, t.dtype) for name, t in sorted(module.state_dict().items())}
