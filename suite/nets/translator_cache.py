"""Worker side. The decoder of nn.Transformer, continued token by token: keys and values of every layer are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention


@dataclass(slots=True, kw_only=True)
class Layer:
    """What one layer keeps; each [batch, heads, tokens, width of a head]."""

    keys: Tensor
    """Of the decoded tokens."""
    values: Tensor
    source_keys: Tensor
    """Of the encoder's output: made once."""
    source_values: Tensor


torch.export.register_dataclass(Layer)  # an exported decoder takes such layers, and returns them
Layers = tuple[Layer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """Result of a pass that continues a target."""

    logits: Tensor
    past_key_values: Layers
    encoder_last_hidden_state: Tensor


def continued(
    decoder: nn.TransformerDecoder,
    target: Tensor,
    memory: Tensor,
    mask: Tensor,
    past: Layers | None,
) -> tuple[Tensor, Layers]:
    """Return the decoder's output for embedded tokens [batch, n, width] behind those of `past`, and what is kept now.

    `memory` [batch, source, width] with `mask` [batch, source], 1 for tokens. The layers normalize after each part
    (norm_first=False), as in the paper.
    """
    start = past[0].keys.shape[2] if past else 0
    count = target.shape[1]
    tokens = torch.arange(start + count, device=target.device)
    allowed = tokens <= tokens[start:, None]
    source = (mask != 0)[:, None, None, :]
    kept = []
    for number, layer in enumerate(decoder.layers):
        block: Any = layer
        own, cross = block.self_attn, block.multihead_attn
        query, keys, values = _projected(own, target, 0, 3)
        if past:
            keys = torch.cat([past[number].keys, keys], dim=2)
            values = torch.cat([past[number].values, values], dim=2)
            source_keys, source_values = past[number].source_keys, past[number].source_values
        else:
            keys, values = keys.clone(), values.clone()  # else the query's memory stays with them
            source_keys, source_values = _projected(cross, memory, 1, 2)
        kept.append(
            Layer(keys=keys, values=values, source_keys=source_keys, source_values=source_values)
        )
        target = block.norm1(target + _attended(own, query, keys, values, allowed))
        (query,) = _projected(cross, target, 0)
        target = block.norm2(target + _attended(cross, query, source_keys, source_values, source))
        target = block.norm3(target + block.linear2(block.activation(block.linear1(target))))
    return target if decoder.norm is None else decoder.norm(target), tuple(kept)


def _projected(attention: Any, tokens: Tensor, first: int, count: int = 1) -> list[Tensor]:
    """Return `count` of query (0), keys (1) and values (2) of tokens [batch, n, width], from `first` on and by one
    product, as [batch, heads, n, width of a head] each.
    """
    batch, number, width = tokens.shape
    rows = slice(first * width, (first + count) * width)
    made = linear(tokens, attention.in_proj_weight[rows], attention.in_proj_bias[rows])
    heads = (batch, number, count, attention.num_heads, width // attention.num_heads)
    return list(made.view(heads).permute(2, 0, 3, 1, 4).unbind())


def _attended(
    attention: Any, query: Tensor, keys: Tensor, values: Tensor, allowed: Tensor
) -> Tensor:
    """Return the attention's output [batch, n, width]; `allowed` is True where a query may look."""
    found = scaled_dot_product_attention(query, keys, values, attn_mask=allowed)
    result: Tensor = attention.out_proj(found.transpose(1, 2).flatten(-2))
    return result
