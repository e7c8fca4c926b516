"""Worker side. Torch-Pruning: joint removal of channels that depend on each other."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import torch
import torch_pruning as tp
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from suite.pruning.cut import cut_group
from suite.pruning.errors import PruningError
from suite.pruning.layers import outputs_of_layers, training_flow
from suite.pruning.proof import proof_inputs
from suite.pruning.request import PruningRequest

WAY_OUT: Final = "prune with Pruning(method='feed_forward'), which leaves the model's width and its attention alone"

ROOTS: Final = (nn.Linear, _ConvNd)
"""Layers whose outputs can be pruned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Layers that lose the same channels."""

    producers: tuple[nn.Module, ...]
    """Linear layers and convolutions that lose outputs."""
    consumers: tuple[nn.Module, ...]
    """Linear layers and convolutions that lose inputs."""
    others: tuple[Any, ...]
    """Normalizations, embeddings, attention, bare parameters: their inputs and outputs are the same channels."""


def prune_groups(
    request: PruningRequest,
    wanted: Callable[[Group], bool],
    *,
    num_heads: Mapping[nn.Module, int] | None = None,
) -> list[Group]:
    """Remove `ratio` of the channels of every group that is `wanted` and has no kept producer; return these groups.

    Layers of `num_heads` lose whole heads instead. The least important channels of a group are removed first: by the
    norm of their weights, or by the first-order Taylor expansion of the loss if there are gradients (Molchanov et al.,
    2019). Every cut is verified, see `suite.pruning.proof`; a group that cannot be cut stays whole, and `request.left`
    has the reason. Raises PruningError when no group can be cut. The caller has to check how many groups really lost
    something: a width that `round_to` would round to zero stays.
    """
    pruning, heads = request.pruning, dict(num_heads or {})
    with torch.enable_grad(), warnings.catch_warnings():
        # "Unwrapped parameters detected": their last axis is pruned, which is what every model here needs.
        warnings.filterwarnings("ignore", module=r"torch_pruning\.")
        pruner = tp.pruner.BasePruner(
            request.module,
            dict(request.inputs),
            importance=tp.importance.GroupTaylorImportance()
            if request.has_gradients
            else tp.importance.GroupMagnitudeImportance(p=2),
            pruning_ratio=pruning.ratio,
            round_to=pruning.round_to,
            root_module_types=list(ROOTS),
            # New for every call: Torch-Pruning modifies its default arguments, so that one model's layers would
            # appear in the process's next pruner.
            num_heads=heads,
            in_channel_groups={},
            out_channel_groups={},
            prune_num_heads=bool(heads),
            prune_head_dims=not heads,
            head_pruning_ratio=pruning.ratio if heads else 0.0,
            forward_fn=_traced_outputs,
        )
    kept = set(request.kept)
    chosen: list[Group] = []
    for items in pruner.DG.get_all_groups(ignored_layers=list(kept), root_module_types=list(ROOTS)):
        group = _group(pruner.DG, items)
        if wanted(group):
            chosen.append(group)
        else:
            kept.update(group.producers)
    pruner.ignored_layers = list(kept)
    inputs, num_cut = proof_inputs(request.inputs), 0
    for items in pruner.step(interactive=True):  # one by one: each cut affects the next
        if reason := cut_group(request.module, pruner.DG, items, inputs):
            request.left.append(reason)
        else:
            num_cut += 1
    if request.left and not num_cut:
        raise PruningError(
            f"pruned by {pruning.method}, {'; '.join(request.left[:3])}. Next: name the modules around"
            f" in Pruning.ignored, or {WAY_OUT}"
        )
    return chosen


def _traced_outputs(module: nn.Module, inputs: Mapping[str, Any]) -> list[Tensor]:
    """Return the outputs of all layers, from which Torch-Pruning walks back.

    The module's own outputs are not used: a detector's postprocessing (boxes, suppression) takes minutes to walk
    through and does not carry channels, and region proposals are detached from it.
    """
    traced = outputs_of_layers(module, lambda: module(**inputs))
    reached = {layer for layer, _ in traced}
    if any(isinstance(layer, ROOTS) and layer not in reached for layer in module.modules()):
        more = _in_training_flow(module, inputs)
        if {layer for layer, _ in more} > reached:
            traced = more
    return [output for _, output in traced if output.requires_grad]


def _in_training_flow(
    module: nn.Module, inputs: Mapping[str, Any]
) -> list[tuple[nn.Module, Tensor]]:
    """Return the layer outputs of the training path; empty if that path needs more than inputs."""
    with training_flow(module):
        try:
            return outputs_of_layers(module, lambda: module(**inputs))
        except Exception:  # a forward that requires targets can raise any exception
            return []


def _group(graph: Any, items: Any) -> Group:
    members: dict[str, list[Any]] = {"producers": [], "consumers": [], "others": []}
    for dependency, _ in items:
        layer = dependency.target.module
        if type(layer).__module__ == tp.ops.__name__:
            continue  # an operation between layers
        is_out = graph.is_out_channel_pruning_fn(dependency.handler)
        is_in = graph.is_in_channel_pruning_fn(dependency.handler)
        role = "others" if is_out and is_in else "producers" if is_out else "consumers"
        if not any(layer is member for member in members[role]):
            members[role].append(layer)
    return Group(**{role: tuple(layers) for role, layers in members.items()})
