"""Worker side. Hidden units of nn.RNN, nn.LSTM and nn.GRU: Torch-Pruning (1.6) knows no GRU and fails on an LSTM."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from suite.pruning.errors import PruningError
from suite.pruning.request import PruningRequest


def prune_recurrent(request: PruningRequest) -> None:
    """Remove hidden units of every recurrent module, and the matching inputs of the layer that reads its states.

    A unit's importance is the sum over its rows in all gates, its column in the recurrent weights and its column in the
    reading layer: of squared weights, or of the first-order Taylor terms |weight x gradient| if there are gradients.
    All layers of a module keep the same number of units, because PyTorch's modules have one width, but each layer
    selects its own. Raises PruningError when there is no recurrent module, when it has a projection (`proj_size`), or
    when its states are not read by a single Linear or recurrent layer.
    """
    order = _run_order(request)
    found = [m for m in order if isinstance(m, nn.RNNBase) and m not in request.kept]
    if not found:
        raise PruningError(
            "nothing is prunable: no nn.RNN, nn.LSTM or nn.GRU ran outside Pruning.ignored"
        )
    for module in found:
        _prune(module, _reader(module, order), request)


def _run_order(request: PruningRequest) -> list[nn.Module]:
    """Return the modules with weights of their own, in the order in which a forward pass first runs them."""
    order: dict[nn.Module, None] = {}

    def hook(module: nn.Module, _args: Any, _output: Any) -> None:
        order.setdefault(module)

    handles = [
        module.register_forward_hook(hook)
        for module in request.module.modules()
        if any(True for _ in module.parameters(recurse=False))
    ]
    try:
        with torch.no_grad():
            request.module(**request.inputs)
    finally:
        for handle in handles:
            handle.remove()
    return list(order)


def _reader(module: nn.RNNBase, order: list[nn.Module]) -> nn.Linear | nn.RNNBase:
    """Return the module that reads the states: the one that runs next, if its width fits."""
    width = module.hidden_size * _directions(module)
    after = order[order.index(module) + 1 :]
    reader = after[0] if after else None
    if module.proj_size:
        raise PruningError(
            f"{type(module).__name__} has proj_size {module.proj_size}; only 0 is supported"
        )
    if (isinstance(reader, nn.Linear) and reader.in_features == width) or (
        isinstance(reader, nn.RNNBase) and reader.input_size == width
    ):
        return reader
    raise PruningError(
        f"the {width} states of {type(module).__name__} are read by {reader}; expected a Linear or recurrent layer"
        f" with {width} inputs to run next. Next: name the module in Pruning.ignored"
    )


def _prune(module: nn.RNNBase, reader: nn.Linear | nn.RNNBase, request: PruningRequest) -> None:
    pruning, hidden, directions = request.pruning, module.hidden_size, range(_directions(module))
    left = int(hidden * (1 - pruning.ratio))
    left -= left % pruning.round_to
    if left < 1:
        raise PruningError(
            f"ratio {pruning.ratio:g} rounded to multiples of {pruning.round_to} leaves 0 of {hidden} hidden units;"
            " expected at least one"
        )
    kept = [
        [
            _importance(module, reader, layer, direction, request).topk(left).indices.sort().values
            for direction in directions
        ]
        for layer in range(module.num_layers)
    ]
    states = [torch.cat([d * hidden + units for d, units in enumerate(row)]) for row in kept]
    for layer, row in enumerate(kept):
        for direction, units in enumerate(row):
            for name in _names(module, layer, direction):
                num_gates = getattr(module, name).shape[0] // hidden
                rows = torch.cat([gate * hidden + units for gate in range(num_gates)])
                _slice(module, name, 0, rows)
                if "weight_hh" in name:
                    _slice(module, name, 1, units)
        for owner, name in _readers(module, reader, layer):
            _slice(owner, name, 1, states[layer])
    module.hidden_size = left
    if isinstance(reader, nn.Linear):
        reader.in_features = len(states[-1])
    else:
        reader.input_size = len(states[-1])


def _importance(
    module: nn.RNNBase,
    reader: nn.Linear | nn.RNNBase,
    layer: int,
    direction: int,
    request: PruningRequest,
) -> Tensor:
    """Return the importance of the units of one layer and direction, of shape [hidden]."""
    hidden = module.hidden_size

    def terms(owner: nn.Module, name: str) -> Tensor:
        weight = owner.get_parameter(name)
        if not request.has_gradients:
            return weight.detach().square()
        assert weight.grad is not None
        return (weight.detach() * weight.grad).abs()

    score = torch.zeros(hidden)
    for name in _names(module, layer, direction):
        if "weight" in name:
            score += terms(module, name).sum(1).reshape(-1, hidden).sum(0)
        if "weight_hh" in name:
            score += terms(module, name).sum(0)
    for owner, name in _readers(module, reader, layer):
        columns = terms(owner, name).sum(0)
        score += columns[direction * hidden : (direction + 1) * hidden]
    return score


def _names(module: nn.RNNBase, layer: int, direction: int) -> list[str]:
    """Return the parameter names of one layer and direction: weight_ih, weight_hh and biases, if any."""
    ending = f"_l{layer}{'_reverse' if direction else ''}"
    return [name for name, _ in module.named_parameters(recurse=False) if name.endswith(ending)]


def _readers(
    module: nn.RNNBase, reader: nn.Linear | nn.RNNBase, layer: int
) -> list[tuple[nn.Module, str]]:
    """Return the weights, by owner and name, whose columns correspond to the states of `layer`."""
    inner = layer + 1 < module.num_layers
    owner, level = (module, layer + 1) if inner else (reader, 0)
    if isinstance(owner, nn.Linear):
        return [(owner, "weight")]
    endings = ("", "_reverse")[: _directions(owner)]
    return [(owner, f"weight_ih_l{level}{ending}") for ending in endings]


def _slice(module: nn.Module, name: str, axis: int, indices: Tensor) -> None:
    """Keep these rows (axis 0) or columns (1) of a parameter and of its gradient."""
    old = module.get_parameter(name)
    new = nn.Parameter(old.detach().index_select(axis, indices), requires_grad=old.requires_grad)
    if old.grad is not None:
        new.grad = old.grad.index_select(axis, indices)
    setattr(module, name, new)  # nn.RNNBase's setter passes the new one to its kernels


def _directions(module: nn.RNNBase) -> int:
    return 2 if module.bidirectional else 1
