"""Multiply-accumulates of ONNX operators from the shapes of what goes in and comes out.

Counted as `suite.macs` counts a PyTorch module: matrix products, convolutions, attention and
recurrent cells; element-wise work, biases, normalization and pooling are not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Final

from bench.onnx_graph.record import Shape

FLIPS: Final = ("transA", "transB")
WHOLE: Final = slice(None)
GATES: Final = {"LSTM": 4, "GRU": 3, "RNN": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One node with what its count needs."""

    attributes: Mapping[str, Any]
    """Plain numbers, text and lists."""
    inputs: Sequence[Shape | None]
    """Shape of each input; None where it is left out or not known."""
    outputs: Sequence[Shape | None]


Counter = Callable[[Call], int]


class Open(Exception):
    """A shape that the count needs is not known."""


def macs_of(operator: str, call: Call) -> int | None:
    """Multiply-accumulates of one run: 0 for an operator that does none, None when a shape is open.

    `operator` may have its domain in front. Formulas: convolution = output elements x elements of one
    filter; product = rows x columns x depth; recurrent = steps x batch x directions x gates x
    hidden x (input + hidden); attention = both of its products, a causal mask saves nothing.
    """
    counter = COUNTERS.get(operator) or COUNTERS.get(operator.rpartition("::")[2])
    if counter is None:
        return 0
    try:
        return counter(call)
    except Open:
        return None


def _known(shapes: Sequence[Shape | None], at: int, part: slice = WHOLE) -> tuple[int, ...]:
    """The extents of one shape, or of a part of it; raises Open when one of them is open."""
    shape = shapes[at] if at < len(shapes) else None
    extents = None if shape is None else shape[part]
    if extents is None or not all(isinstance(d, int) for d in extents):
        raise Open
    return tuple(d for d in extents if isinstance(d, int))


def _conv(weight: int) -> Counter:
    return lambda call: prod(_known(call.outputs, 0)) * prod(_known(call.inputs, weight)[1:])


def _transposed_conv(call: Call) -> int:
    return prod(_known(call.inputs, 0)) * prod(_known(call.inputs, 1)[1:])


def _product(left: int, right: int, *, transposed: tuple[str, str] | None = None) -> Counter:
    """Elements of the result times the depth: the last axis of the left operand, the one before of the right."""

    def count(call: Call) -> int:
        flips = [bool(call.attributes.get(name)) for name in transposed or ()] or [False, False]
        elements = prod(_known(call.outputs, 0))
        for operand, axis in ((left, -2 if flips[0] else -1), (right, -1 if flips[1] else -2)):
            shape = call.inputs[operand] if operand < len(call.inputs) else None
            if shape is not None and len(shape) >= -axis and isinstance(shape[axis], int):
                return elements * _known([(shape[axis],)], 0)[0]
        raise Open

    return count


def _recurrent(kind: str, features: int = -1) -> Counter:
    """`features`: the axis of the weights that meets the input, and of the recurrence weights that meets the
    hidden state.
    """

    def count(call: Call) -> int:
        steps, batch = _known(call.inputs, 0, slice(2))
        weight, recurrence = _known(call.inputs, 1), _known(call.inputs, 2)
        width, hidden = weight[features], recurrence[features]
        return steps * batch * recurrence[0] * GATES[kind] * hidden * (width + hidden)

    return count


def _einsum(call: Call) -> int:
    """The product of all extents where something is summed between two operands, else 0."""
    left, arrow, right = str(call.attributes.get("equation", "")).replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) < 2:
        return 0
    if "." in left:
        raise Open
    extents: dict[str, int] = {}
    for number, term in enumerate(terms):
        extents |= dict(zip(term, _known(call.inputs, number), strict=True))
    is_summed = set(left) - {","} - set(right) if arrow else {c for c in left if left.count(c) > 1}
    return prod(extents.values()) * (len(terms) - 1) if is_summed else 0


def _attention(call: Call) -> int:
    """ai.onnx Attention: query, key, value of [batch, heads, length, width] or [batch, length, width]."""
    query, key = _known(call.inputs, 0), _known(call.inputs, 1)
    value = _known(call.inputs, 2)
    heads = int(call.attributes.get("q_num_heads") or 0)
    key_heads = int(call.attributes.get("kv_num_heads") or heads)
    if len(query) == 4:
        heads, width, value_width = query[1], query[3], value[3]
    elif heads and key_heads:
        width, value_width = query[-1] // heads, value[-1] // key_heads
    else:
        raise Open
    past = _known(call.inputs, 4)[2] if len(call.inputs) > 4 and call.inputs[4] else 0
    return query[0] * heads * query[-2] * (key[-2] + past) * (width + value_width)


def _multi_head_attention(call: Call) -> int:
    """com.microsoft MultiHeadAttention without packed weights: [batch, length, width]."""
    query = _known(call.inputs, 0)
    key = _known(call.inputs, 1)
    if len(query) != 3:
        raise Open
    length = key[1] if len(key) == 3 else key[2]
    value = _known(call.inputs, 2)
    width = value[-1] if len(value) == 3 else value[1] * value[3]
    return query[0] * query[1] * length * (query[2] + width)


def _packed_attention(call: Call) -> int:
    """com.microsoft Attention and QAttention: the projection of [batch, length, width], then both products."""
    x, weight = _known(call.inputs, 0), _known(call.inputs, 1)
    sizes: list[int] = call.attributes.get("qkv_hidden_sizes") or [weight[1] // 3] * 3
    return prod(x) * weight[1] + x[0] * x[1] * x[1] * (sizes[0] + sizes[2])


def _grouped_query_attention(call: Call) -> int:
    query, key = _known(call.inputs, 0), _known(call.inputs, 1)
    past = call.inputs[3][2] if len(call.inputs) > 3 and call.inputs[3] else 0
    if not isinstance(past, int):
        raise Open
    return query[0] * query[1] * (key[1] + past) * 2 * query[2]


def _n_bits(call: Call) -> int:
    return prod(_known(call.inputs, 0)) * int(call.attributes["N"])


COUNTERS: Final[dict[str, Counter]] = {
    "Conv": _conv(1),
    "ConvInteger": _conv(1),
    "FusedConv": _conv(1),
    "NhwcFusedConv": _conv(1),
    "QLinearConv": _conv(3),
    "ConvTranspose": _transposed_conv,
    "Gemm": _product(0, 1, transposed=FLIPS),
    "FusedGemm": _product(0, 1, transposed=FLIPS),
    "QGemm": _product(0, 3, transposed=FLIPS),
    "MatMul": _product(0, 1),
    "FusedMatMul": _product(0, 1, transposed=FLIPS),
    "MatMulInteger": _product(0, 1),
    "MatMulIntegerToFloat": _product(0, 1),
    "DynamicQuantizeMatMul": _product(0, 1),
    "QLinearMatMul": _product(0, 3),
    "MatMulNBits": _n_bits,
    "Einsum": _einsum,
    "LSTM": _recurrent("LSTM"),
    "GRU": _recurrent("GRU"),
    "RNN": _recurrent("RNN"),
    "DynamicQuantizeLSTM": _recurrent("LSTM", features=1),
    "Attention": _attention,
    "com.microsoft::Attention": _packed_attention,
    "QAttention": _packed_attention,
    "MultiHeadAttention": _multi_head_attention,
    "GroupQueryAttention": _grouped_query_attention,
}
"""Operator -> its count. A name with its domain goes before the bare one."""
