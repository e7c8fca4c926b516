"""Worker side. Layers of a module: found by name or glob, and by whether a forward pass runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any, Final

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from diagnostics.did_you_mean import did_you_mean
from suite.pruning.errors import PruningError

TRACED: Final = (nn.Linear, _ConvNd, _BatchNorm, nn.LayerNorm, nn.GroupNorm)
"""Layers whose outputs show the path of channels."""


def modules_named(module: nn.Module, patterns: tuple[str, ...]) -> frozenset[nn.Module]:
    """Return the submodules that match the names or globs (`encoder.*.dense`), with everything inside them.

    Raises PruningError when a pattern matches nothing.
    """
    names = dict(module.named_modules())
    found: set[nn.Module] = set()
    for pattern in patterns:
        matched = [layer for name, layer in names.items() if fnmatchcase(name, pattern)]
        if not matched:
            raise PruningError(
                f"no module of {type(module).__name__} is called {pattern!r} (ModelSpec.head and Pruning.ignored"
                f" name modules that are kept){did_you_mean(pattern, [name for name in names if name])}"
            )
        found |= {inner for layer in matched for inner in layer.modules()}
    return frozenset(found)


def outputs_of_layers(module: nn.Module, call: Callable[[], Any]) -> list[tuple[nn.Module, Tensor]]:
    """Return every layer of TRACED that ran during `call` with its output, in order, once per run.

    Without gradients an output is copied, because an in-place activation after the layer may change it. With gradients
    the tensor itself is returned, even if changed in place: it leads back to the layer all the same.
    """
    seen: list[tuple[nn.Module, Tensor]] = []

    def hook(layer: nn.Module, _args: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            seen.append((layer, output if output.requires_grad else output.clone()))

    handles = [m.register_forward_hook(hook) for m in module.modules() if isinstance(m, TRACED)]
    try:
        call()
    finally:
        for handle in handles:
            handle.remove()
    return seen


@contextmanager
def training_flow(module: nn.Module) -> Iterator[None]:
    """Run the module's training path with every layer in eval mode.

    Modules with children are in training mode, layers are not: Inception's second head runs, batch statistics do not
    change, dropout is off.
    """
    before = [(inner, inner.training) for inner in module.modules()]
    for inner, _ in before:
        inner.training = any(True for _ in inner.children())
    try:
        yield
    finally:
        for inner, flag in before:
            inner.training = flag
