"""Worker side. Torch-Pruning: joint removal of channels that depend on each other."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import torch
import torch_pruning as tp
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from suite.pruning.bare import axes_of_bare_parameters
from suite.pruning.cut import cut_group
from suite.pruning.errors import PruningError
from suite.pruning.layers import outputs_of_layers, training_flow
from suite.pruning.proof import proof_inputs
from suite.pruning.request import PruningRequest

WAY_OUT: Final = "prune with Pruning(method='feed_forward'), which leaves the model's width and its attention alone"

LAYERS_OF_A_GROUP: Final = 30
"""Dependencies of one group for every module of the net, and for a small net in addition, beyond which a search is
taken for endless; the largest groups of ended searches have a few for every module."""

UNREADABLE: Final = "Torch-Pruning cannot follow the operators of this net"
"""Of every layer of a net for which it builds no graph."""

UNREAD: Final = "no layer reads it"
"""Of layers that, as far as Torch-Pruning sees, give the model's output."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the groups."""

    groups: list[Group]
    """All that were wanted, cut or not."""
    whole: dict[nn.Module, str]
    """First producer of a group that could not be cut -> why."""
    num_cut: int


def prune_groups(
    request: PruningRequest,
    wanted: Callable[[Group], bool],
    *,
    num_heads: Mapping[nn.Module, int] | None = None,
) -> Outcome:
    """Remove `ratio` of the channels of every group that is `wanted` and has no kept producer.

    Layers of `num_heads` lose whole heads instead. The least important channels of a group are removed first: by the
    norm of their weights, or by the first-order Taylor expansion of the loss if there are gradients (Molchanov et al.,
    2019). Every cut is verified, see `suite.pruning.proof`; a group that cannot be cut stays whole, with the reason.
    The caller has to check how many groups really lost something (a width that `round_to` would round to zero stays),
    and to call `conclude`.
    """
    pruning, heads = request.pruning, dict(num_heads or {})
    inputs = proof_inputs(request.inputs)
    axes = axes_of_bare_parameters(request.module, inputs)
    with torch.enable_grad(), warnings.catch_warnings():
        # "Unwrapped parameters detected": those whose axis of channels could not be found.
        warnings.filterwarnings("ignore", module=r"torch_pruning\.")
        # The constructor searches the group of every layer that is not ignored, for a count that only global pruning
        # reads, and one search that fails or does not end would refuse the whole module: `_groups` searches one by one.
        roots = [layer for layer in request.module.modules() if isinstance(layer, ROOTS)]
        try:
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
                unwrapped_parameters=[(p, axis) for p, axis in axes.items() if axis is not None],
                ignored_layers=[*roots, *(p for p, axis in axes.items() if axis is None)],
            )
        except Exception as error:  # Torch-Pruning's errors have no common class
            text = (str(error).strip() or type(error).__name__).splitlines()[0]
            return Outcome(
                groups=[], whole=dict.fromkeys(roots, f"{UNREADABLE} ({text})"), num_cut=0
            )
    kept = set(request.kept)
    chosen, whole = list[Group](), dict[nn.Module, str]()
    with _bounded_groups(request.module):
        for layer, items in _groups(pruner, kept, whole):
            group = _group(pruner.DG, items)
            if wanted(group):
                chosen.append(group)
            else:
                kept.update(group.producers)
                if not group.consumers:
                    whole[layer] = UNREAD
        pruner.ignored_layers = [*kept, *(layer for layer in whole if whole[layer] != UNREAD)]
        num_cut = 0
        for items in pruner.step(interactive=True):  # one by one: each cut affects the next
            if reason := cut_group(request.module, pruner.DG, items, inputs):
                whole[items[0].dep.target.module] = reason
            else:
                num_cut += 1
    return Outcome(groups=chosen, whole=whole, num_cut=num_cut)


@contextmanager
def _bounded_groups(module: nn.Module) -> Iterator[None]:
    """Raise PruningError where the library's search for the layers of a group does not end, as behind keys that are
    repeated for several queries.
    """
    most = LAYERS_OF_A_GROUP * (len(list(module.modules())) + LAYERS_OF_A_GROUP)
    add = tp.dependency.group.Group.add_dep

    def bounded(group: Any, dep: Any, idxs: Any) -> None:
        if len(group._group) > most:
            raise PruningError(
                "Torch-Pruning's search for them does not end, as behind halves that attention turns (rotary positions)"
                " or keys that it shares among queries (grouped)"
            )
        add(group, dep, idxs)

    tp.dependency.group.Group.add_dep = bounded
    try:
        yield
    finally:
        tp.dependency.group.Group.add_dep = add


def conclude(request: PruningRequest, outcome: Outcome) -> None:
    """Keep the reasons in `request.left`; raise PruningError when no group at all could be cut."""
    reasons = [reason for reason in outcome.whole.values() if reason != UNREAD]
    request.left.extend(reasons)
    if reasons and not outcome.num_cut:
        way = WAY_OUT if request.pruning.method != "feed_forward" else "choose another method"
        raise PruningError(
            f"pruned by {request.pruning.method}, {'; '.join(reasons[:3])}. Next: name the modules around"
            f" in Pruning.ignored, or {way}"
        )


def _groups(
    pruner: Any, kept: set[nn.Module], whole: dict[nn.Module, str]
) -> Iterator[tuple[nn.Module, Any]]:
    """Yield the first producer and the whole of every group without kept producers; add those that the library cannot
    build to `whole`.
    """
    graph = pruner.DG
    seen: set[nn.Module] = set()
    for layer in list(graph.module2node):
        if layer in kept or layer in seen or not isinstance(layer, ROOTS):
            continue
        function = graph.get_pruner_of_module(layer)
        if function is None or function.get_out_channels(layer) is None:
            continue
        everything = list(range(function.get_out_channels(layer)))
        try:
            items = graph.get_pruning_group(layer, function.prune_out_channels, everything)
            pruner.estimate_importance(items)
        except Exception as error:  # Torch-Pruning's errors have no common class
            text = (str(error).strip() or type(error).__name__).splitlines()[0]
            name = graph._module2name.get(layer, type(layer).__name__)
            whole[layer] = f"{name} cannot be followed to the layers that read it ({text})"
            continue
        producers = {
            dependency.target.module
            for dependency, _ in items
            if graph.is_out_channel_pruning_fn(dependency.handler)
        }
        seen |= producers
        if not producers & kept:
            yield layer, items


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
