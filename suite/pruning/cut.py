"""Worker side. The cut of one group: verified, repaired if an operator between the layers permutes channels, or
reverted.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import torch
import torch_pruning as tp
from torch import Tensor, nn
from torch.nn.utils import parametrize

from suite.pruning.proof import (
    Member,
    answers,
    answers_with_zeros,
    answers_without_readers,
    columns_read,
    first_difference,
    is_across_channels,
)
from suite.pruning.reorder import reorder
from suite.pruning.undo import restore, restore_graph, retied, snapshot

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
    names = {layer: name for name, layer in module.named_modules()}
    producer = names.get(members[0].module, "")
    for member in members:
        if isinstance(member.module, nn.MultiheadAttention):
            return (
                f"{producer} keeps its outputs: they are the width of {names[member.module]}, an nn.MultiheadAttention,"
                f" whose {member.module.num_heads} heads share that width"
            )
        if parametrize.is_parametrized(member.module):
            name = names[member.module]
            return (
                f"{producer} keeps its outputs: a parametrization makes the weights of {name}; call"
                f" torch.nn.utils.parametrize.remove_parametrizations({name}, 'weight') before"
            )
    twin = copy.deepcopy(module)
    places = dict(zip(module.modules(), twin.modules(), strict=True))
    twins = [replace(member, module=places[member.module]) for member in members]
    for name, (axis, indices) in bare_parameters(graph, items).items():
        with torch.no_grad():
            twin.get_parameter(name).index_fill_(axis, torch.tensor(indices), 0.0)
    read = columns_read(twin, twins, inputs)
    expected = answers_with_zeros(twin, twins, read, inputs)
    before, known = snapshot(module), dict(graph._param_to_name)
    nodes = {
        parameter: graph.module2node[parameter]
        for parameter in known
        if parameter in graph.module2node
    }
    try:
        items.prune()
        _set_normalized_shapes(module)
        actual = answers(module, members, inputs)
    except Exception as error:  # anything that the library or the model's own forward raises
        restore(module, before)
        restore_graph(graph, known, nodes)
        text = (str(error).strip() or type(error).__name__).splitlines()[0]
        return f"it does not run any more: {text} (without {len(members[0].channels)} outputs of {producer})"
    if untied := retied(module, before):
        restore(module, before)
        restore_graph(graph, known, nodes)
        return f"{producer} keeps its outputs: {untied}"
    found = first_difference(expected, actual)
    if found and read is not None:
        found = first_difference(answers_without_readers(twin, twins, read, inputs), actual)
    if found and read is not None and reorder(module, members, twin, twins, inputs):
        actual = answers(module, members, inputs)
        found = first_difference(expected, actual) and first_difference(
            answers_without_readers(twin, twins, read, inputs), actual
        )
    if not found:
        return ""
    restore(module, before)
    restore_graph(graph, known, nodes)
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


def bare_parameters(graph: Any, items: Any) -> dict[str, tuple[int, list[int]]]:
    """Return name -> (axis, indices) that the group takes from parameters outside layers (a position table)."""
    return {
        graph._param_to_name[dependency.target.module]: (
            int(dependency.target.pruning_dim),
            [int(getattr(i, "idx", i)) for i in indices],
        )
        for dependency, indices in items
        if isinstance(dependency.target.module, nn.Parameter)
        and not is_across_channels(_owner(graph, dependency.target.module))
    }


def _owner(graph: Any, parameter: nn.Parameter) -> nn.Module:
    owner: nn.Module = graph.model.get_submodule(graph._param_to_name[parameter].rpartition(".")[0])
    return owner


def _set_normalized_shapes(module: nn.Module) -> None:
    """Set every nn.RMSNorm's shape to that of its weights, which the library omits (Torch-Pruning 1.6.1)."""
    for layer in module.modules():
        if isinstance(layer, nn.RMSNorm) and layer.weight is not None:
            layer.normalized_shape = tuple(layer.weight.shape)


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
