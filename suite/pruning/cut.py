"""Worker side. The cut of one group: verified, repaired if an operator between the layers permutes channels, or
reverted.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import torch
import torch_pruning as tp
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from suite.pruning.proof import (
    Member,
    answers,
    answers_with_zeros,
    answers_without_readers,
    columns_read,
    first_difference,
    is_across_channels,
)

PLAIN: Final = (bool, int, tuple, list)
"""Types of a layer's own attributes, such as `out_channels` and `normalized_shape`."""

ON_THE_WAY: Final = 60
"""Maximum number of operators to walk back through when naming those between two layers."""

LAYERS: Final = ("Convolution", "Addmm", "Mm", "Bmm", "Embedding", "AccumulateGrad")
"""Autograd's names of operators that create channels, where the walk back ends."""

HARMLESS: Final = ("Relu", "Add", "Mul", "T", "NativeBatchNorm", "CudnnBatchNorm", "Clone")
"""Operators that keep the order of channels."""


def cut_group(module: nn.Module, graph: Any, items: Any, inputs: Mapping[str, Any]) -> str:
    """Cut the channels of one Torch-Pruning group out of `module`, in place.

    Returns why the group was left unchanged: the pruned module does not run, or its outputs differ from those with the
    removed channels set to zero and no order of columns repairs that. Empty when the cut is verified.
    """
    members = members_of(graph, items)
    if not any(member.loses_outputs for member in members):
        return ""
    twin = copy.deepcopy(module)
    places = dict(zip(module.modules(), twin.modules(), strict=True))
    twins = [replace(member, module=places[member.module]) for member in members]
    for name, indices in bare_parameters(graph, items).items():
        with torch.no_grad():
            twin.get_parameter(name)[..., indices] = 0
    read = columns_read(twin, twins, inputs)
    expected = answers_with_zeros(twin, twins, read, inputs)
    before, known = _snapshot(module), dict(graph._param_to_name)
    nodes = {
        parameter: graph.module2node[parameter]
        for parameter in known
        if parameter in graph.module2node
    }
    producer = next((n for n, m in module.named_modules() if m is members[0].module), "")
    try:
        items.prune()
        _set_normalized_shapes(module)
        actual = answers(module, members, inputs)
    except Exception as error:  # anything that the library or the model's own forward raises
        _restore(module, before)
        _restore_graph(graph, known, nodes)
        text = (str(error).strip() or type(error).__name__).splitlines()[0]
        return f"it does not run any more: {text} (without {len(members[0].channels)} outputs of {producer})"
    found = first_difference(expected, actual)
    if found and read is not None:
        found = first_difference(answers_without_readers(twin, twins, read, inputs), actual)
    if found and read is not None and _reorder(module, members, twin, twins, inputs):
        actual = answers(module, members, inputs)
        found = first_difference(expected, actual) and first_difference(
            answers_without_readers(twin, twins, read, inputs), actual
        )
    if not found:
        return ""
    _restore(module, before)
    _restore_graph(graph, known, nodes)
    where, share = found
    operators = _operators_before(twin, where, inputs)
    return (
        f"{producer} cannot lose {len(members[0].channels)} outputs: {where} would answer otherwise"
        f" (by {share:.0%} of its largest value)"
        + (f", behind {', '.join(operators)}" if operators else "")
    )


def members_of(graph: Any, items: Any) -> list[Member]:
    """Return the layers of the group, producers first, each once with all channels that it loses."""
    found: dict[nn.Module, Member] = {}
    for dependency, indices in items:
        layer = dependency.target.module
        if isinstance(layer, nn.Parameter):
            layer = _owner(graph, layer)
            if not is_across_channels(layer):
                continue  # an added table: see `bare_parameters`
        if type(layer).__module__ == tp.ops.__name__:
            continue  # an operation between layers
        is_out = bool(graph.is_out_channel_pruning_fn(dependency.handler))
        is_in = bool(graph.is_in_channel_pruning_fn(dependency.handler))
        channels = [int(getattr(index, "idx", index)) for index in indices]
        known = found.get(layer)
        if known is not None:
            channels = [*known.channels, *(c for c in channels if c not in known.channels)]
            is_out, is_in = is_out or known.loses_outputs, is_in or known.loses_inputs
        if isinstance(layer, nn.Embedding):
            is_in = False  # its inputs are ids
        found[layer] = Member(
            module=layer, channels=tuple(channels), loses_inputs=is_in, loses_outputs=is_out
        )
    return sorted(found.values(), key=lambda m: (not m.loses_outputs, m.loses_inputs))


def bare_parameters(graph: Any, items: Any) -> dict[str, list[int]]:
    """Return name -> last-axis indices that the group takes from parameters outside layers (a position table)."""
    return {
        graph._param_to_name[dependency.target.module]: [int(getattr(i, "idx", i)) for i in indices]
        for dependency, indices in items
        if isinstance(dependency.target.module, nn.Parameter)
        and not is_across_channels(_owner(graph, dependency.target.module))
    }


def _owner(graph: Any, parameter: nn.Parameter) -> nn.Module:
    owner: nn.Module = graph.model.get_submodule(graph._param_to_name[parameter].rpartition(".")[0])
    return owner


@dataclass(frozen=True, slots=True)
class _State:
    parameters: dict[str, Any]
    buffers: dict[str, Any]
    numbers: dict[str, Any]


def _snapshot(module: nn.Module) -> dict[nn.Module, _State]:
    """Return the state that a cut can change: the library assigns new tensors and does not modify the old ones."""
    return {
        layer: _State(
            dict(layer._parameters),
            dict(layer._buffers),
            {key: value for key, value in vars(layer).items() if isinstance(value, PLAIN)},
        )
        for layer in module.modules()
    }


def _restore(module: nn.Module, before: Mapping[nn.Module, _State]) -> None:
    for layer in module.modules():
        state = before[layer]
        layer._parameters.clear()
        layer._parameters.update(state.parameters)
        layer._buffers.clear()
        layer._buffers.update(state.buffers)
        vars(layer).update(state.numbers)


def _restore_graph(graph: Any, names: Mapping[Any, str], nodes: Mapping[Any, Any]) -> None:
    """Register with the library's graph the bare parameters that the cut had replaced."""
    for parameter in [p for p in graph._param_to_name if p not in names]:
        graph._param_to_name.pop(parameter)
        graph.module2node.pop(parameter, None)
    graph._param_to_name.update(names)
    for parameter, node in nodes.items():
        graph.module2node[parameter], node.module = node, parameter


def _set_normalized_shapes(module: nn.Module) -> None:
    """Set every nn.RMSNorm's shape to that of its weights, which the library omits (Torch-Pruning 1.6.1)."""
    for layer in module.modules():
        if isinstance(layer, nn.RMSNorm) and layer.weight is not None:
            layer.normalized_shape = tuple(layer.weight.shape)


def _reorder(
    module: nn.Module,
    members: Sequence[Member],
    twin: nn.Module,
    twins: Sequence[Member],
    inputs: Mapping[str, Any],
) -> bool:
    """Give every consumer of the group the columns that match its actual inputs; return True on success.

    If an operator moves channels (shuffle, flip, roll, a channels-last flatten), the channel of each column is found by
    marking channels before and after the cut.
    """
    producers = [m for m in twins if m.loses_outputs and not m.loses_inputs]
    if len({m.channels for m in producers}) != 1:
        return False
    gone = set(producers[0].channels)
    num_outputs = {_num_outputs(m.module) for m in producers}
    if len(num_outputs) != 1:
        return False
    total = num_outputs.pop()
    kept = [channel for channel in range(total) if channel not in gone]
    behind = _channels_behind(twin, twins, inputs, total)
    now = _channels_behind(module, members, inputs, len(kept))
    if behind is None or now is None:
        return False
    sources: dict[nn.Module, list[int]] = {}
    for member, old in zip(members, twins, strict=True):
        if not member.loses_inputs:
            continue
        columns: dict[int | None, list[int]] = {}
        for column, channel in enumerate(behind.get(old.module, [])):
            columns.setdefault(channel, []).append(column)
        order = []
        for channel in now.get(member.module, []):
            wanted = columns.get(None if channel is None else kept[channel])
            if not wanted:
                return False
            order.append(wanted.pop(0))
        sources[member.module] = order
    for member, old in zip(members, twins, strict=True):
        if member.loses_inputs and not _take(member.module, old.module, sources[member.module]):
            return False
    return True


def _num_outputs(layer: nn.Module) -> int:
    return int(getattr(layer, "out_channels", None) or getattr(layer, "out_features", None) or 0)


def _channels_behind(
    module: nn.Module, members: Sequence[Member], inputs: Mapping[str, Any], total: int
) -> dict[nn.Module, list[int | None]] | None:
    """Return layer -> for each of its inputs the producers' channel, or None for another layer's channel. Return None
    if that cannot be determined.

    Channel numbers are read bit by bit, with two forward passes per bit: the first marks the channels with the bit set,
    the second those without.
    """
    widths = {m.module: _num_inputs(m.module) for m in members if m.loses_inputs}
    codes = {layer: [0] * width for layer, width in widths.items()}
    reached = {layer: [False] * width for layer, width in widths.items()}
    for bit in range(max(1, (total - 1).bit_length())):
        halves = ([], [])  # type: tuple[list[int], list[int]]
        for channel in range(total):
            halves[channel >> bit & 1].append(channel)
        seen = [columns_read(module, members, inputs, channels=half) for half in halves]
        if seen[0] is None or seen[1] is None:
            return None
        for layer in widths:
            without, with_bit = set(seen[0].get(layer, ())), set(seen[1].get(layer, ()))
            if without & with_bit:
                return None  # an input that combines several channels
            for column in without | with_bit:
                reached[layer][column] = True
            for column in with_bit:
                codes[layer][column] |= 1 << bit
    return {
        layer: [
            code if is_reached else None
            for code, is_reached in zip(codes[layer], reached[layer], strict=True)
        ]
        for layer in widths
    }


def _num_inputs(layer: nn.Module) -> int:
    for name in ("in_channels", "in_features", "num_features", "num_channels", "num_parameters"):
        if isinstance(value := getattr(layer, name, None), int):
            return value
    return int(getattr(layer, "normalized_shape", (0,))[-1])


def _take(layer: nn.Module, old: nn.Module, order: Sequence[int]) -> bool:
    """Give `layer` the weights of `old` for these inputs, in this order; return False if that is not possible."""
    is_conv = isinstance(layer, _ConvNd)
    if is_conv and layer.groups != 1 and layer.groups != layer.in_channels:
        return False
    by_input = isinstance(layer, nn.Linear) or (is_conv and layer.groups == 1)
    index = torch.tensor(order, dtype=torch.long)
    if by_input:
        layer.weight = _indexed(old.weight, index, 1)
        return True
    for name, parameter in old.named_parameters(recurse=False):
        if parameter.dim():
            setattr(layer, name, _indexed(parameter, index, 0))
    for name, buffer in old.named_buffers(recurse=False):
        if buffer.dim():
            setattr(layer, name, buffer.index_select(0, index))
    return True


def _indexed(parameter: Any, index: Tensor, axis: int) -> nn.Parameter:
    taken = nn.Parameter(parameter.detach().index_select(axis, index), parameter.requires_grad)
    if parameter.grad is not None:
        taken.grad = parameter.grad.index_select(axis, index)
    return taken


def _operators_before(module: nn.Module, name: str, inputs: Mapping[str, Any]) -> list[str]:
    """Return autograd's names of the operators between a layer and its producers, nearest first."""
    layer = dict(module.named_modules()).get(name)
    nodes: list[Any] = []

    def note(_layer: nn.Module, args: tuple[Any, ...]) -> None:
        if args and isinstance(args[0], Tensor) and args[0].grad_fn is not None:
            nodes.append(args[0].grad_fn)

    if layer is None:
        return []
    handle = layer.register_forward_pre_hook(note)
    try:
        with torch.enable_grad():
            module(**inputs)
    finally:
        handle.remove()
    found: dict[str, None] = {}
    steps = 0
    while nodes and steps < ON_THE_WAY:
        node, steps = nodes.pop(0), steps + 1
        kind = type(node).__name__.partition("Backward")[0]
        if kind in LAYERS:
            continue
        if kind not in HARMLESS:
            found[kind] = None
        nodes += [before for before, _ in node.next_functions if before is not None]
    return list(found)[:4]
