"""Worker side. Parameters outside layers (a position table, a scale per channel): the axis on which channels stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils import parametrize

from suite.pruning.proof import channel_axis, is_across_channels, marked_columns

LAYERS: Final = (
    *(nn.Linear, _ConvNd, _NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.PReLU),
    *(nn.Embedding, nn.MultiheadAttention, nn.RNNBase),
)
"""Layers that Torch-Pruning treats with their weights."""

MOST: Final = 200
"""Forward passes spent on finding axes; parameters beyond keep the library's choice."""


def axes_of_bare_parameters(
    module: nn.Module, inputs: Mapping[str, Any]
) -> dict[nn.Parameter, int | None]:
    """Return parameter -> the axis with its channels, or None if no axis is one of channels (a scale per column of a
    picture). Parameters that cannot be judged are left out: Torch-Pruning takes their last axis.

    One index of an axis is set to NaN: if that reaches some inputs of the next layer and not others, then the axis is
    one of channels.
    """
    found: dict[nn.Parameter, int | None] = {}
    passes = 0
    for layer in module.modules():
        if isinstance(layer, parametrize.ParametrizationList):  # a weight is made of them
            found.update(dict.fromkeys(layer.parameters(recurse=False)))
    for parameter in _bare(module):
        if parameter in found:
            continue
        axes = [axis for axis in reversed(range(parameter.dim())) if parameter.shape[axis] > 1]
        seen: list[tuple[int, int]] = []
        for axis in axes:
            if passes == MOST:
                return found
            passes += 1
            reached = _reached(module, parameter, axis, inputs)
            seen += reached
            if any(0 < count < width for count, width in reached):
                found[parameter] = axis
                break
        else:
            if any(count for count, _ in seen):
                found[parameter] = None
    return found


def _bare(module: nn.Module) -> Iterator[nn.Parameter]:
    given: set[int] = set()
    for layer in module.modules():
        if isinstance(layer, LAYERS) or is_across_channels(layer):
            continue
        for parameter in layer.parameters(recurse=False):
            if parameter.is_floating_point() and parameter.dim() and id(parameter) not in given:
                given.add(id(parameter))
                yield parameter


def _reached(
    module: nn.Module, parameter: nn.Parameter, axis: int, inputs: Mapping[str, Any]
) -> list[tuple[int, int]]:
    """Return (marked channels, channels) of every layer that index 0 of the axis reaches first; empty where that cannot
    be traced.
    """
    found: list[tuple[int, int]] = []

    def note(layer: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if not args or not isinstance(args[0], torch.Tensor) or not args[0].is_floating_point():
            return None
        marked = marked_columns(layer, args[0])
        if marked:
            found.append((len(marked), args[0].shape[channel_axis(layer, args[0])]))
        return (torch.nan_to_num(args[0]), *args[1:])

    handles = [
        layer.register_forward_pre_hook(note)
        for layer in module.modules()
        if isinstance(layer, LAYERS) or is_across_channels(layer)
    ]
    held = parameter.detach().clone()
    try:
        with torch.no_grad():
            parameter.select(axis, 0).fill_(torch.nan)
            module(**inputs)
    except Exception:  # a forward that does not support NaN can raise any exception
        return []
    finally:
        with torch.no_grad():
            parameter.copy_(held)
        for handle in handles:
            handle.remove()
    return found
