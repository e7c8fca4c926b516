"""Worker side. Pruning of a model whose record says nothing about it: what its structure allows is found by trying."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from torch import nn

from suite.pruning.engine import METHODS, Pruned, prune_module
from suite.pruning.errors import OutputsChanged, PruningError
from suite.spec import ModelSpec
from suite.worker.errors import Unsupported

MOST_KEPT: Final = 6
"""Last layers whose outputs are kept, one more in every trial, until the model's own outputs keep their shape."""


def prune_unguided(
    module: nn.Module, spec: ModelSpec, size: str, inputs: Mapping[str, Any]
) -> Pruned:
    """Return the module pruned by the record's method, or the first other one that cuts it; see `prune_module`.

    A layer that gives one of the model's outputs without being its last is found by keeping the last layers, one by
    one. Raise Unsupported with the reasons if no method removes anything.
    """
    own = spec.sizes[size].pruning
    reasons = []
    for method in (own.method, *(name for name in METHODS if name != own.method)):
        for kept in _tails(module):
            pruning = replace(own, method=method, ignored=(*own.ignored, *kept))
            sizes = {**spec.sizes, size: replace(spec.sizes[size], pruning=pruning)}
            try:
                return prune_module(module, replace(spec, sizes=sizes), size, inputs)
            except OutputsChanged as error:
                reason = str(error)
            except PruningError as error:
                reason = str(error)
                break
        reasons.append(f"{method}: {reason.removeprefix(f'{spec.name}: ')}")
    raise Unsupported(f"{spec.name}: no method removes anything. {'; '.join(reasons)}")


def _tails(module: nn.Module) -> Iterator[Sequence[str]]:
    """Yield no layer, then the last one with weights, the last two ..."""
    layers = [
        name
        for name, layer in module.named_modules()
        if name and next(layer.parameters(recurse=False), None) is not None
    ]
    yield ()
    for count in range(1, min(MOST_KEPT, len(layers)) + 1):
        yield layers[-count:]
