"""Worker side. Layers of a module: found by name or glob, and by whether a forward pass runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any, Final

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from suite.pruning.errors import PruningError

TRACED: Final = (nn.Linear, _ConvNd, _BatchNorm, nn.LayerNorm, nn.GroupNorm)
"""Layers whose outputs show where channels go."""


def modules_named(module: nn.Module, patterns: tuple[str, ...]) -> frozenset[nn.Module]:
    """The submodules that the names or globs (`encoder.*.dense`) match, with everything inside them.

    Raises PruningError when a pattern matches nothing.
    """
    names = dict(module.named_modules())
    found: set[nn.Module] = set()
    for pattern in patterns:
        matched = [layer for name, layer in names.items() if fnmatchcase(name, pattern)]
        if not matched:
            near = get_close_matches(pattern, names, n=3) or list(names)[1:4]
            raise PruningError(
                f"no module of {type(module).__name__} is called {pattern!r} (ModelSpec.head and Pruning.ignored"
                f" name modules that are kept); near it: {', '.join(near)}"
            )
        found |= {inner for layer in matched for inner in layer.modules()}
    return frozenset(found)


def outputs_of_layers(module: nn.Module, call: Callable[[], Any]) -> list[tuple[nn.Module, Tensor]]:
    """Every layer of TRACED that ran during `call`, with its output, in order and once for every time.

    Without gradients an output is copied: an in-place activation behind the layer changes it. With gradients it is
    what it became, which leads back to the layer as well.
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
    """The way through the module that training takes, with every layer still in eval mode.

    Modules with children are in training mode, layers are not: Inception's second head runs, batch statistics stay,
    nothing is dropped.
    """
    before = [(inner, inner.training) for inner in module.modules()]
    for inner, _ in before:
        inner.training = any(True for _ in inner.children())
    try:
        yield
    finally:
        for inner, flag in before:
            inner.training = flag
