"""Worker side. Random weights under which outputs depend on inputs: as built, some models answer a constant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

SPREAD: Final = 2.0
"""Standard deviation of the class scores before softmax or sigmoid: some then exceed the library's thresholds."""
SCALE: Final = 0.1
"""Scale of a residual branch in place of one that starts near zero."""
HEADS: Final = ("cls", "class")
"""What the names of layers contain that score classes."""


def spread_scores(module: Any, pictures: list[Any], num_classes: int) -> None:
    """Change the detector's random weights in place so that its scores depend on the picture, by two passes over it.

    The statistics of batch norms become those of `pictures`, else activations vanish with depth; then the last layer of
    each class head is scaled to scores of deviation SPREAD, else all are one by the number of classes.
    """
    import torch

    with torch.inference_mode(False), torch.no_grad():
        with measuring_norms(module):
            module(pictures)
        seen: dict[Any, list[float]] = {}
        with ExitStack() as stack:
            for layer in _class_layers(module, num_classes):
                handle = layer.register_forward_hook(_noting(seen))
                stack.callback(handle.remove)
            module(pictures)
        for layer, deviations in seen.items():
            deviation = sum(deviations) / len(deviations)
            if deviation > 0:
                layer.weight.mul_(SPREAD / deviation)


@contextmanager
def measuring_norms(module: Any) -> Iterator[None]:
    """Within the block, batch norms take their running statistics from what passes through them.

    Without, activations vanish in a deep net with small random weights: its running statistics are those of no data.
    """
    from torch import nn

    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the average of all passes, here of one
        norm.train()
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.eval()


def _class_layers(module: Any, num_classes: int) -> list[Any]:
    """Return the layers that score classes: linear or convolutional, a multiple of the classes wide."""
    from torch import nn

    return [
        layer
        for name, layer in module.named_modules()
        if any(word in name for word in HEADS)
        and isinstance(layer, (nn.Linear, nn.Conv2d))
        and layer.weight.shape[0] % num_classes == 0
    ]


def wake_classifier(layer: Any) -> None:
    """Give a classifier that starts at zero, as for training, small random weights: else it answers its bias alone."""
    from torch import nn

    weight = getattr(layer, "weight", None)
    if weight is not None and not bool(weight.any()):
        nn.init.trunc_normal_(weight, std=0.02)


def wake_activations(module: Any, pictures: Any) -> None:
    """Change random weights in place under which nothing of the pictures reaches the end, by one pass over them.

    Scales of residual branches that start near zero, as for training, become SCALE; batch norms take their statistics.
    """
    import torch

    with torch.inference_mode(False), torch.no_grad():
        for parameter in module.parameters():
            first = float(parameter.flatten()[0]) if parameter.ndim == 1 else 0.0
            if 0 < abs(first) < SCALE and bool((parameter == first).all()):
                parameter.fill_(SCALE)
        with measuring_norms(module):
            module(pictures)


def _noting(seen: dict[Any, list[float]]) -> Callable[..., None]:
    def note(layer: Any, _: Any, output: Any) -> None:
        if output.numel() > 1:
            seen.setdefault(layer, []).append(float(output.std()))

    return note
