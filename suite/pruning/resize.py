"""Worker side. The weights of one layer for other inputs or fewer outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from suite.pruning.proof import is_across_channels


def is_passed(layer: nn.Module) -> bool:
    """Return whether the layer's outputs are its inputs' channels; depthwise with a multiplier, several for each."""
    if isinstance(layer, _ConvNd):
        return layer.groups == layer.in_channels > 1
    return isinstance(layer, (_NormBase, nn.PReLU)) or is_across_channels(layer)


def num_outputs(layer: nn.Module) -> int:
    """Return the number of output channels of a Linear layer or a convolution."""
    return int(getattr(layer, "out_channels", None) or getattr(layer, "out_features", None) or 0)


def widen_to(layer: nn.Module, width: int) -> None:
    """Give the layer weights for `width` inputs, of any value."""
    old = len(_columns(layer))
    take(layer, layer, [i % old for i in range(width)], times_of(layer))


def times_of(layer: nn.Module) -> int:
    """Return the output channels for each input of a layer that passes channels on."""
    if isinstance(layer, _ConvNd) and is_passed(layer):
        return layer.out_channels // layer.in_channels
    return 1


def _columns(layer: nn.Module) -> range:
    if isinstance(layer, _ConvNd) and is_passed(layer):
        return range(layer.in_channels)
    if isinstance(layer, _ConvTransposeNd):
        return range(layer.weight.shape[0])
    if isinstance(layer, (nn.Linear, _ConvNd)):
        return range(layer.weight.shape[1])
    for tensor in (*layer.parameters(recurse=False), *layer.buffers(recurse=False)):
        if tensor.dim():
            return range(tensor.shape[0])
    return range(1)


def take(layer: Any, old: Any, order: Sequence[int], times: int = 1) -> None:
    """Give `layer` the weights of `old` for these inputs, in this order, and set its numbers of channels.

    `times`: output channels for each input of a depthwise convolution.
    """
    index = torch.tensor(order, dtype=torch.long)
    if isinstance(layer, (nn.Linear, _ConvNd)) and not is_passed(old):
        layer.weight = indexed(old.weight, index, 0 if isinstance(layer, _ConvTransposeNd) else 1)
    else:
        rows = (index[:, None] * times + torch.arange(times)).flatten()
        for name, parameter in list(old.named_parameters(recurse=False)):
            if parameter.dim() and parameter.numel() > 1:
                setattr(layer, name, indexed(parameter, rows, 0))
        for name, buffer in list(old.named_buffers(recurse=False)):
            if buffer.dim():
                setattr(layer, name, buffer.index_select(0, rows))
    _set_widths(layer, len(order), times)


def _set_widths(layer: Any, width: int, times: int) -> None:
    if isinstance(layer, _ConvNd):
        if layer.groups > 1:
            layer.groups, layer.out_channels = width, width * times
        layer.in_channels = width
    elif isinstance(layer, (nn.LayerNorm, nn.RMSNorm)):
        layer.normalized_shape = (width,)
    else:
        for name in ("in_features", "num_features", "num_channels", "num_parameters"):
            if isinstance(getattr(layer, name, None), int) and getattr(layer, name) != 1:
                setattr(layer, name, width)


def indexed(parameter: Any, index: Tensor, axis: int) -> nn.Parameter:
    """Return these indices of a parameter along the axis, with its gradient."""
    taken = nn.Parameter(parameter.detach().index_select(axis, index), parameter.requires_grad)
    if parameter.grad is not None:
        taken.grad = parameter.grad.index_select(axis, index)
    return taken


def narrow(root: Any, kept: Sequence[int]) -> None:
    """Leave the layer these outputs alone."""
    index = torch.tensor(kept, dtype=torch.long)
    root.weight = indexed(root.weight, index, 1 if isinstance(root, _ConvTransposeNd) else 0)
    if root.bias is not None:
        root.bias = indexed(root.bias, index, 0)
    name = "out_channels" if isinstance(root, _ConvNd) else "out_features"
    setattr(root, name, len(kept))
