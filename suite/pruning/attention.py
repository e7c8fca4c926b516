"""Worker side. Transformers: pruning of whole attention heads and of the inner width of feed-forward blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from torch import nn
from torch.nn.modules.conv import _ConvNd

from suite.pruning.errors import PruningError
from suite.pruning.graph import Group, conclude, prune_groups
from suite.pruning.request import PruningRequest

COUNTS: Final = ("num_attention_heads", "num_heads", "n_heads", "n_head")
"""Attribute names for the number of heads."""

WIDTHS: Final = ("all_head_size", "inner_dim")
"""Attribute names for heads times head width, if that differs from the model's width."""

PROJECTIONS: Final = re.compile(r"q|k|v|[qkv]_proj|[qkv]_lin|query|key|value")
"""Attribute names of the three Linear layers."""

NEXT: Final = "prune with Pruning(method='feed_forward'), which leaves attention as it is"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """An attention module with separate Linear layers for queries, keys and values."""

    name: str
    module: nn.Module
    count: str
    """The attribute that holds its number of heads."""
    num_heads: int
    head_width: int
    projections: tuple[nn.Linear, ...]


def prune_feed_forward(request: PruningRequest) -> None:
    """Remove inner channels of feed-forward blocks; the model's width and attention stay unchanged.

    Raises PruningError when there is no such block.
    """
    outcome = prune_groups(request, is_feed_forward)
    conclude(request, outcome)
    if not outcome.groups:
        raise PruningError(
            "nothing is prunable: no feed-forward block (one Linear layer, or two multiplied, from the model's width"
            " to an inner one, and a Linear layer back) outside ModelSpec.head and Pruning.ignored"
        )


def prune_heads(request: PruningRequest) -> None:
    """Remove whole attention heads, inner channels of feed-forward blocks, and channels between two convolutions.

    Those convolutions do half the work of a wav2vec 2.0. Afterwards the head count of every attention module matches
    its layers. Raises PruningError when an attention module that is not kept lost none.
    """
    found = [a for a in attention_in(request.module) if not request.kept.issuperset(a.projections)]
    if not found:
        if grouped := _grouped_in(request.module):
            raise PruningError(grouped)
        raise PruningError(
            "nothing is prunable: no attention module with a count of heads and a Linear layer each for queries,"
            f" keys and values; {NEXT}"
        )
    for attention in found:
        if len({layer.out_features for layer in attention.projections}) > 1:
            raise PruningError(_grouped_in(request.module))
    num_heads: dict[nn.Module, int] = {layer: a.num_heads for a in found for layer in a.projections}
    outcome = prune_groups(
        request,
        lambda group: (
            is_feed_forward(group)
            or _is_attention(group, num_heads)
            or _is_between_convolutions(group)
        ),
        num_heads=num_heads,
    )
    conclude(request, outcome)
    for attention in found:
        _reset(attention, request.pruning.ratio)


def attention_in(module: nn.Module) -> list[Attention]:
    """Return the attention modules whose heads can be identified by name, in the model's order."""
    found = []
    for name, inner in module.named_modules():
        count = next((c for c in COUNTS if isinstance(getattr(inner, c, None), int)), "")
        layers = tuple(
            child
            for child_name, child in inner.named_children()
            if isinstance(child, nn.Linear) and PROJECTIONS.fullmatch(child_name)
        )
        if count and len(layers) == 3:
            heads = int(getattr(inner, count))
            width = layers[0].out_features // heads
            found.append(
                Attention(
                    name=name,
                    module=inner,
                    count=count,
                    num_heads=heads,
                    head_width=width,
                    projections=layers,
                )
            )
    return found


def _grouped_in(module: nn.Module) -> str:
    """Describe an attention module that shares keys among queries, with a remedy and its layers; empty if there is
    none.
    """
    for name, inner in module.named_modules():
        widths = {
            child_name: child.out_features
            for child_name, child in inner.named_children()
            if isinstance(child, nn.Linear) and PROJECTIONS.fullmatch(child_name)
        }
        if len(widths) == 3 and len(set(widths.values())) > 1:
            layers = ", ".join(f"{layer} has {width} outputs" for layer, width in widths.items())
            kind = f"{name or type(inner).__name__} shares keys among queries (grouped)"
            return f"{kind}; {NEXT} ({layers})"
    return ""


def is_feed_forward(group: Group) -> bool:
    """Return True for one Linear layer, or two multiplied (gated), up to an inner width, and a Linear layer back.

    Attention has three producers, or (packed) one three times as wide as its consumer.
    """
    if group.others or len(group.consumers) != 1 or len(group.producers) not in (1, 2):
        return False
    (down,) = group.consumers
    return isinstance(down, nn.Linear) and all(
        isinstance(up, nn.Linear)
        and (up.in_features, up.out_features) == (down.out_features, down.in_features)
        for up in group.producers
    )


def _is_attention(group: Group, num_heads: dict[nn.Module, int]) -> bool:
    """Return True for queries, keys and values of one module; a position bias (T5) couples modules: skipped."""
    return not group.others and len(group.consumers) == 1 and set(group.producers) <= set(num_heads)


def _is_between_convolutions(group: Group) -> bool:
    """Return True for a convolution read by exactly one other, without a normalization over channels between them."""
    layers = (*group.producers, *group.consumers)
    return len(layers) == 2 and not group.others and all(isinstance(x, _ConvNd) for x in layers)


def _reset(attention: Attention, ratio: float) -> None:
    """Set the module's head count and widths to those of its layers; raises PruningError when nothing changed."""
    heads, rest = divmod(attention.projections[0].out_features, attention.head_width)
    if rest or heads == attention.num_heads:
        raise PruningError(
            f"{attention.name} kept {heads} of {attention.num_heads} heads at ratio {ratio:g}: expected fewer, and at"
            f" least one; change Pruning.ratio, or {NEXT}"
        )
    setattr(attention.module, attention.count, heads)
    for width in WIDTHS:
        if hasattr(attention.module, width):
            setattr(attention.module, width, heads * attention.head_width)
