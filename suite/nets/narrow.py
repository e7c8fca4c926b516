"""Worker side. Narrower versions of architectures whose builder has no width argument."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import nn

CONVOLUTIONS = (nn.Conv2d, nn.Conv3d)
NORMALIZATIONS = (nn.BatchNorm2d, nn.BatchNorm3d)


def narrow(
    build: Callable[[], Any], divisor: int, *, heads: Collection[str] = (), channels: int = 3
) -> Any:
    """Return the model of `build` with every width divided by `divisor` and weights from `keep_variance`.

    With divisor 1 it is returned as built, initial weights included. Otherwise these widths are kept: the `channels` of
    the picture, and the outputs of the layers named in `heads` (their number of classes). Nothing is allocated at full
    width. Raise ValueError if a width is not a multiple of `divisor`.
    """
    if divisor == 1:
        return build()
    with torch.device("meta"):
        model = build()
    for name, module in list(model.named_modules()):
        smaller = _smaller(name, module, divisor, name in heads, channels)
        if smaller is not None:
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, smaller)
    keep_variance(model)
    return model


def keep_variance(model: nn.Module) -> None:
    """Initialize all convolutions and linear layers to keep the variance of activations.

    He et al., 2015 (fan-in), with damped residual branches. Before training, batch normalization is the identity in
    evaluation mode; with PyTorch's default weights the output of deep networks then fades to a constant, and parity
    with another backend would show nothing.
    """
    for module in model.modules():
        if isinstance(module, (*CONVOLUTIONS, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif hasattr(module, "downsample"):
            _damp(module)


def _damp(block: nn.Module) -> None:
    """Scale a residual block's branch to a third, else the variance doubles with every block."""
    branch = [child for name, child in block.named_children() if name != "downsample"]
    norms = [m for child in branch for m in child.modules() if isinstance(m, NORMALIZATIONS)]
    if norms:
        nn.init.constant_(norms[-1].weight, 1 / 3)


def _smaller(
    name: str, module: nn.Module, divisor: int, is_head: bool, channels: int
) -> nn.Module | None:
    def divided(width: int) -> int:
        if width % divisor:
            raise ValueError(f"{name}: width {width} is no multiple of {divisor}")
        return width // divisor

    def less(num_in: int, num_out: int) -> tuple[int, int]:
        return (
            num_in if num_in == channels else divided(num_in),
            num_out if is_head else divided(num_out),
        )

    if isinstance(module, CONVOLUTIONS):
        plain = nn.Conv2d if isinstance(module, nn.Conv2d) else nn.Conv3d
        layer: nn.Module = plain(
            *less(module.in_channels, module.out_channels),
            kernel_size=module.kernel_size,  # type: ignore[arg-type]
            stride=module.stride,  # type: ignore[arg-type]
            padding=module.padding,  # type: ignore[arg-type]
            dilation=module.dilation,  # type: ignore[arg-type]
            bias=module.bias is not None,
        )
        return layer
    if isinstance(module, NORMALIZATIONS):
        return type(module)(divided(module.num_features), eps=module.eps, momentum=module.momentum)
    if isinstance(module, nn.Linear):
        features = less(module.in_features, module.out_features)
        return nn.Linear(*features, bias=module.bias is not None)
    return None
