"""Worker side. Verifies a cut: the pruned module's outputs equal those of a copy with the removed channels set to zero.

Torch-Pruning follows channels along gradients and takes some reshaping operators (a channels-last flatten, a channel
shuffle, flip, roll) for order-preserving ones. It then silently cuts the wrong columns of their consumers, and a
recovery training hides it. So every group of layers is compared before and after its cut.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from suite.flat_tensors import flatten_outputs
from suite.pruning.layers import outputs_of_layers

ROUNDING: Final = 1e-3
"""Largest difference of an output, relative to its largest value, that counts as rounding: another order of summation
changes a float32 network by 1e-6 to 1e-4, a wrong column changes its layer's output by a tenth and more.
"""

ANSWER: Final = "the module's output"

SAMPLES: Final = 2
"""Samples of the batch that a check runs on."""

ACROSS: Final = (nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
"""Normalizations that mix channels: with channels removed they normalize over the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A layer of a group and the channels that the cut removes from it."""

    module: nn.Module
    channels: tuple[int, ...]
    """Indices on its output axis (for a consumer: its input axis)."""
    loses_inputs: bool
    loses_outputs: bool


def proof_inputs(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the first samples of a batch; the whole batch if the values do not share a first axis."""
    extents = {len(value) for value in inputs.values() if isinstance(value, (Tensor, list))}
    if len(extents) != 1:
        return dict(inputs)
    return {
        name: value[:SAMPLES] if isinstance(value, (Tensor, list)) else value
        for name, value in inputs.items()
    }


def is_across_channels(layer: nn.Module) -> bool:
    """Return True for the normalizations of ACROSS and for a library's own of the same kind (LlamaRMSNorm)."""
    return isinstance(layer, ACROSS) or type(layer).__name__.endswith(("RMSNorm", "LayerNorm"))


def channel_axis(module: nn.Module, tensor: Tensor) -> int:
    """Return the channel axis of the layer's input and output."""
    if isinstance(module, _ConvNd):
        return tensor.dim() - 1 - len(module.kernel_size)
    if isinstance(
        module, (nn.Linear, nn.LayerNorm, nn.RMSNorm, nn.Embedding, nn.MultiheadAttention)
    ):
        return tensor.dim() - 1
    return 1  # batch, group and instance normalization, PReLU


def columns_read(
    module: nn.Module,
    members: Sequence[Member],
    inputs: Mapping[str, Any],
    *,
    channels: Sequence[int] | None = None,
) -> dict[nn.Module, list[int]] | None:
    """Return layer -> its input channels that the producers' channels really reach; None if the module cannot be
    traced.

    `channels` (default: those that each producer loses) are the same for all producers.

    The producers' outputs are marked with NaN, which propagates through every operator between two layers. A consumer
    records which of its inputs are marked and replaces them by zeros.
    """
    found: dict[nn.Module, list[int]] = {}

    def mark(layer: nn.Module, _args: Any, output: Any, *, channels: Sequence[int]) -> Any:
        marked = output.clone()
        index = torch.tensor(channels, dtype=torch.long)
        marked.index_fill_(channel_axis(layer, output), index, torch.nan)
        return marked

    def note(layer: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        found[layer] = marked_columns(layer, args[0])
        return (torch.nan_to_num(args[0]), *args[1:])

    def mark_again(layer: nn.Module, _args: Any, output: Any) -> Any:
        return mark(layer, _args, output, channels=found[layer])

    handles = []
    for member in members:
        layer = member.module
        if isinstance(layer, nn.MultiheadAttention):
            return None  # reads three inputs, possibly by keyword
        if member.loses_inputs:
            handles.append(layer.register_forward_pre_hook(note))
        if member.loses_inputs and member.loses_outputs:
            handles.append(layer.register_forward_hook(mark_again))
        elif member.loses_outputs:
            own = member.channels if channels is None else channels
            handles.append(layer.register_forward_hook(partial(mark, channels=own)))
    try:
        with torch.no_grad():
            module(**inputs)
    except Exception:  # a forward that does not support NaN can raise any exception
        return None
    finally:
        for handle in handles:
            handle.remove()
    return found


def marked_columns(layer: nn.Module, tensor: Tensor) -> list[int]:
    """Return the indices on the channel axis that contain a NaN."""
    axis = channel_axis(layer, tensor)
    others = [a for a in range(tensor.dim()) if a != axis]
    return [int(i) for i in torch.isnan(tensor).any(dim=others).nonzero()] if others else []


def answers(
    module: nn.Module, members: Sequence[Member], inputs: Mapping[str, Any]
) -> list[tuple[str, Tensor]]:
    """Return name and output of every layer that keeps its outputs, in execution order, then the module's own outputs.

    For a module that takes lists (a detector), only the convolutions: how many regions and boxes follow depends on
    values to their last bit.
    """
    names = {layer: name for name, layer in module.named_modules()}
    changed = {member.module for member in members if member.loses_outputs}
    is_list = any(not isinstance(value, Tensor) for value in inputs.values())
    results: list[Any] = []
    with torch.no_grad():
        layers = outputs_of_layers(module, lambda: results.append(module(**inputs)))
    seen = [
        (names[layer], output)
        for layer, output in layers
        if layer not in changed and (not is_list or isinstance(layer, _ConvNd))
    ]
    if not is_list:
        seen += [(ANSWER, tensor) for tensor in flatten_outputs(results[0])]
    return seen


def answers_with_zeros(
    twin: nn.Module,
    members: Sequence[Member],
    read: Mapping[nn.Module, Sequence[int]] | None,
    inputs: Mapping[str, Any],
) -> list[tuple[str, Tensor]]:
    """Return `answers` of `twin`, a copy from before the cut, with zeros for the channels that the cut removes.

    They are zeroed at the producers' outputs. A normalization across channels (layer, group, RMS) covers the remaining
    channels only, as after the cut. `members` and `read` (see `columns_read`) refer to the copy.
    """
    handles = []
    for member in members:
        if not member.loses_outputs:
            continue
        channels = list((read or {}).get(member.module, member.channels))
        is_across = member.loses_inputs and is_across_channels(member.module)
        change = _normalize_rest if is_across else _zero
        handles.append(member.module.register_forward_hook(partial(change, channels=channels)))
    try:
        return answers(twin, members, inputs)
    finally:
        for handle in handles:
            handle.remove()


def answers_without_readers(
    twin: nn.Module,
    members: Sequence[Member],
    read: Mapping[nn.Module, Sequence[int]],
    inputs: Mapping[str, Any],
) -> list[tuple[str, Tensor]]:
    """Return `answers` of `twin` with the channels zeroed at the consumers' inputs.

    It differs if an operator in between maps zero to something else (a sigmoid returns a half).
    """
    handles = []
    for member in members:
        if not member.loses_inputs:
            continue
        channels, layer = list(read.get(member.module, ())), member.module
        if not member.loses_outputs:
            hook = partial(_zero_input, channels=channels)
            handles.append(layer.register_forward_pre_hook(hook))
        elif is_across_channels(layer):
            normalize = partial(_normalize_rest, channels=channels)
            handles.append(layer.register_forward_hook(normalize))
    try:
        return answers(twin, members, inputs)
    finally:
        for handle in handles:
            handle.remove()


def first_difference(
    expected: Sequence[tuple[str, Tensor]], actual: Sequence[tuple[str, Tensor]]
) -> tuple[str, float] | None:
    """Return the first layer whose output differs by more than rounding, and the difference relative to its maximum; or
    None.
    """
    for (name, wanted), (_, given) in zip(expected, actual, strict=False):
        if wanted.shape != given.shape:
            if name == ANSWER:  # a cut that shortens the output gets its own error after all cuts
                continue
            return name, float("inf")
        if not wanted.is_floating_point() or not wanted.numel():
            continue
        scale = float(wanted.abs().max()) or 1.0
        share = float((wanted - given).abs().max()) / scale
        if not share <= ROUNDING:  # also NaN
            return name, share
    if len(expected) != len(actual):
        return "the number of layers that run", float("inf")
    return None


def _zero(layer: nn.Module, _args: Any, output: Any, *, channels: Sequence[int]) -> Any:
    index = torch.tensor(channels, dtype=torch.long)
    return output.index_fill(channel_axis(layer, output), index, 0.0)


def _zero_input(layer: nn.Module, args: tuple[Any, ...], *, channels: Sequence[int]) -> Any:
    index = torch.tensor(channels, dtype=torch.long)
    return (args[0].index_fill(channel_axis(layer, args[0]), index, 0.0), *args[1:])


def _normalize_rest(
    layer: nn.Module, args: tuple[Any, ...], output: Any, *, channels: Sequence[int]
) -> Tensor:
    """Normalize over the remaining channels and return zero for the others, and where none remains."""
    x = args[0]
    axis, gone = channel_axis(layer, x), set(channels)
    keep = torch.tensor([i for i in range(x.shape[axis]) if i not in gone], dtype=torch.long)
    if not len(
        keep
    ):  # every channel is marked, as behind another normalization that the group does not know
        return torch.zeros_like(output)
    small: Any = copy.deepcopy(layer)
    small._forward_hooks.clear()
    for name, parameter in list(small.named_parameters(recurse=False)):
        if parameter.dim() == 1:
            setattr(small, name, nn.Parameter(parameter.detach()[keep]))
    if isinstance(small, nn.GroupNorm):
        small.num_channels = len(keep)
    elif isinstance(small, ACROSS):
        small.normalized_shape = (len(keep),)
    return torch.zeros_like(output).index_copy(axis, keep, small(x.index_select(axis, keep)))
