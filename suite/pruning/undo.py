"""Worker side. What a cut can change in a module, kept so that it can be taken back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import nn

PLAIN: Final = (bool, int, tuple, list)
"""Types of a layer's own attributes, such as `out_channels` and `normalized_shape`."""


@dataclass(frozen=True, slots=True)
class State:
    """Of one layer."""

    parameters: dict[str, Any]
    buffers: dict[str, Any]
    numbers: dict[str, Any]


def snapshot(module: nn.Module) -> dict[nn.Module, State]:
    """Return the state that a cut can change: the library assigns new tensors and does not modify the old ones."""
    return {
        layer: State(
            dict(layer._parameters),
            dict(layer._buffers),
            {key: value for key, value in vars(layer).items() if isinstance(value, PLAIN)},
        )
        for layer in module.modules()
    }


def restore(module: nn.Module, before: Mapping[nn.Module, State]) -> None:
    """Put back what `snapshot` found."""
    for layer in module.modules():
        state = before[layer]
        layer._parameters.clear()
        layer._parameters.update(state.parameters)
        layer._buffers.clear()
        layer._buffers.update(state.buffers)
        vars(layer).update(state.numbers)


def restore_graph(graph: Any, names: Mapping[Any, str], nodes: Mapping[Any, Any]) -> None:
    """Register with the library's graph the bare parameters that the cut had replaced."""
    for parameter in [p for p in graph._param_to_name if p not in names]:
        graph._param_to_name.pop(parameter)
        graph.module2node.pop(parameter, None)
    graph._param_to_name.update(names)
    for parameter, node in nodes.items():
        graph.module2node[parameter], node.module = node, parameter


def retied(module: nn.Module, before: Mapping[nn.Module, State]) -> str:
    """Make tensors that were one before the cut one again where the cut left them equal; return which it did not."""
    places: dict[int, list[tuple[str, nn.Module, str]]] = {}
    for prefix, layer in module.named_modules():
        for key, tensor in before[layer].parameters.items():
            if tensor is not None:
                name = f"{prefix}.{key}" if prefix else key
                places.setdefault(id(tensor), []).append((name, layer, key))
    for owners in places.values():
        (first, layer, key), *others = owners
        tensor = layer._parameters[key]
        for name, other, own in others:
            twin = other._parameters[own]
            if twin is tensor or tensor is None or twin is None:
                continue
            if tensor.shape != twin.shape or not torch.equal(tensor, twin):
                return f"{first} and {name} are one tensor, of which only one would change"
            other._parameters[own] = tensor
    return ""
