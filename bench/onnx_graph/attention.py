"""Multiply-accumulates of attention and of mixtures of experts, of ai.onnx and of com.microsoft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Final

from bench.onnx_graph.call import Call, Counter, Open, has, known


def _attention(call: Call) -> int:
    """Count ai.onnx Attention: query, key, value of [batch, heads, length, width] or [batch, length, width]."""
    query, key = known(call.inputs, 0), known(call.inputs, 1)
    value = known(call.inputs, 2)
    heads = int(call.attributes.get("q_num_heads") or 0)
    key_heads = int(call.attributes.get("kv_num_heads") or heads)
    if len(query) == 4:
        heads, width, value_width = query[1], query[3], value[3]
    elif heads and key_heads:
        width, value_width = query[-1] // heads, value[-1] // key_heads
    else:
        raise Open
    past = known(call.inputs, 4)[2] if has(call, 4) else 0
    return query[0] * heads * query[-2] * (key[-2] + past) * (width + value_width)


def _shared_buffer(call: Call, past_length: int) -> int | None:
    """Return the number of past keys in a preallocated buffer; None if past and present are separate tensors.

    `past_length`: the input that has the number.
    """
    if not call.attributes.get("past_present_share_buffer"):
        return None
    number = call.value(past_length)
    if number is None:
        raise Open("the number of keys in its buffer depends on the data")
    return int(number)


def _multi_head_attention(past_key: int, past_length: int) -> Counter:
    """Return the count of com.microsoft MultiHeadAttention: query, key, value of [batch, length, width], a key and a
    value of [batch, heads, length, width], or packed into the query or the key.
    """

    def count(call: Call) -> int:
        query = known(call.inputs, 0)
        if len(query) == 5:  # query, key and value: batch, length, heads, 3, width
            hidden = value_hidden = query[2] * query[4]
            length = query[1]
        else:
            hidden, key = query[2], known(call.inputs, 1)
            length = key[1] if len(key) in (3, 5) else key[2]
            if len(key) == 5:  # key and value: batch, length, heads, 2, width
                value_hidden = key[2] * key[4]
            else:
                value = known(call.inputs, 2)
                value_hidden = value[-1] if len(value) == 3 else value[1] * value[3]
        if has(call, past_key):
            shared = _shared_buffer(call, past_length)
            length += known(call.inputs, past_key)[2] if shared is None else shared
        return query[0] * query[1] * length * (hidden + value_hidden)

    return count


def _packed_attention(past: int, past_length: int) -> Counter:
    """Return the count of com.microsoft Attention and QAttention: the projection of [batch, length, width], then both
    products.

    `past`: the input of [2, batch, heads, length, width] with the past keys and values.
    """

    def count(call: Call) -> int:
        x, weight = known(call.inputs, 0), known(call.inputs, 1)
        sizes: list[int] = call.attributes.get("qkv_hidden_sizes") or [weight[1] // 3] * 3
        length = x[1]
        if has(call, past):
            shared = _shared_buffer(call, past_length)
            length += known(call.inputs, past)[3] if shared is None else shared
        return prod(x) * weight[1] + x[0] * x[1] * length * (sizes[0] + sizes[2])

    return count


def _grouped_query_attention(call: Call) -> int:
    """Count com.microsoft GroupQueryAttention, with key and value packed into the query or not."""
    query = known(call.inputs, 0)
    heads = int(call.attributes.get("num_heads") or 0)
    if has(call, 1):
        hidden = query[2]
    else:
        both = heads + 2 * int(call.attributes.get("kv_num_heads") or 0)
        if not heads:
            raise Open
        hidden = query[2] // both * heads
    total = call.value(6)
    if total is None:
        added = known(call.inputs, 1)[1] if has(call, 1) else query[1]
        total = added + (known(call.inputs, 3)[2] if has(call, 3) else 0)
    return query[0] * query[1] * int(total) * 2 * hidden


def _linear_attention(call: Call) -> int:
    """Count LinearAttention: per token and head the outer product of key and value, the product of query and state, and
    for the delta rules the product of key and state.
    """
    query, key, value = (known(call.inputs, n) for n in range(3))
    heads = int(call.attributes.get("q_num_heads") or 0)
    key_heads = int(call.attributes.get("kv_num_heads") or 0)
    if not heads or not key_heads:
        raise Open
    rule = str(call.attributes.get("update_rule") or "gated_delta")
    updates = 2 if "delta" in rule else 1
    state = key[-1] // key_heads * (value[-1] // key_heads)
    return query[0] * query[1] * state * (heads + updates * key_heads)


def _experts(first: Sequence[int], bits: str = "") -> Counter:
    """Return the count of MoE and QMoE: each token passes through k experts. `first`: the inputs with the experts'
    weights.
    """

    def count(call: Call) -> int:
        tokens = prod(known(call.inputs, 0)[:-1])
        each = sum(prod(known(call.inputs, n)[1:]) for n in first if n < 4 or has(call, n))
        packed = 8 // int(call.attributes.get(bits) or 4) if bits else 1
        return tokens * int(call.attributes.get("k") or 1) * each * packed

    return count


ATTENTION: Final[Mapping[str, Counter]] = {
    "Attention": _attention,
    "FlexAttention": _attention,
    "com.microsoft::Attention": _packed_attention(4, 6),
    "DecoderMaskedSelfAttention": _packed_attention(4, 6),
    "QAttention": _packed_attention(8, 99),
    "MultiHeadAttention": _multi_head_attention(6, 8),
    "DecoderMaskedMultiHeadAttention": _multi_head_attention(5, 7),
    "GroupQueryAttention": _grouped_query_attention,
    "LinearAttention": _linear_attention,
    "MoE": _experts((2, 4, 6)),
    "QMoE": _experts((2, 5, 8), bits="expert_weight_bits"),
}
"""Operator -> its count. A name with its domain takes precedence over the bare one."""
