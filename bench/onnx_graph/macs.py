"""Multiply-accumulates of ONNX operators from the shapes of their inputs and outputs.

Counted as `suite.macs` counts a PyTorch module: matrix products, convolutions, attention and
recurrent cells; element-wise work, biases, normalization, interpolation and pooling are not.
`bench.onnx_graph.operators` lists which operators have no formula here and which need none.
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
    """One node with the data for its count."""

    attributes: Mapping[str, Any]
    """Plain numbers, text and lists."""
    inputs: Sequence[Shape | None]
    """Shape of each input; None if omitted or unknown."""
    outputs: Sequence[Shape | None]
    given: Sequence[bool] | None = None
    """Which inputs are present; None: those with a shape."""
    value: Callable[[int], Any] = lambda at: None
    """Returns the number in a scalar input, None if unknown."""


Counter = Callable[[Call], int]


class Open(Exception):
    """Raised if a shape, or other data named in the text, that the count needs is unknown."""


def macs_of(operator: str, call: Call) -> int | None:
    """Return multiply-accumulates of one run: 0 for an operator without a formula, None if a shape is open.

    `operator` may have its domain in front. Formulas: convolution = output elements x elements of one filter; product =
    rows x columns x depth; recurrent = steps x batch x directions x gates x hidden x (input + hidden); attention = both
    of its products; a causal mask does not reduce them.
    """
    counter = counter_of(operator)
    if counter is None:
        return 0
    try:
        return counter(call)
    except Open:
        return None


def counter_of(operator: str) -> Counter | None:
    """Return the formula of an operator, with or without its domain in front; None if there is none."""
    return COUNTERS.get(operator) or COUNTERS.get(operator.rpartition("::")[2])


def _known(shapes: Sequence[Shape | None], at: int, part: slice = WHOLE) -> tuple[int, ...]:
    """Return the extents of one shape, or of a part of it; raise Open if one of them is open."""
    shape = shapes[at] if at < len(shapes) else None
    extents = None if shape is None else shape[part]
    if extents is None or not all(isinstance(d, int) for d in extents):
        raise Open
    return tuple(d for d in extents if isinstance(d, int))


def _has(call: Call, at: int) -> bool:
    """Return whether the input is present."""
    if call.given is not None:
        return at < len(call.given) and call.given[at]
    return at < len(call.inputs) and call.inputs[at] is not None


def _conv(weight: int) -> Counter:
    return lambda call: prod(_known(call.outputs, 0)) * prod(_known(call.inputs, weight)[1:])


def _transposed_conv(call: Call) -> int:
    return prod(_known(call.inputs, 0)) * prod(_known(call.inputs, 1)[1:])


def _product(left: int, right: int, *, transposed: tuple[str, str] | None = None) -> Counter:
    """Return a count of elements of the result times the depth: the last axis of the left operand, the second to last
    of the right.
    """

    def count(call: Call) -> int:
        flips = [bool(call.attributes.get(name)) for name in transposed or ()] or [False, False]
        elements = prod(_known(call.outputs, 0))
        for operand, axis in ((left, -2 if flips[0] else -1), (right, -1 if flips[1] else -2)):
            shape = call.inputs[operand] if operand < len(call.inputs) else None
            if shape is None:
                continue
            if len(shape) == 1 and not flips[0]:
                axis = -1  # a vector has only the depth
            if len(shape) >= -axis and isinstance(shape[axis], int):
                return elements * _known([(shape[axis],)], 0)[0]
        raise Open

    return count


def _recurrent(kind: str, features: int = -1) -> Counter:
    """Return the count of a recurrent layer.

    `features`: the axis of the weights that is multiplied with the input, and of the recurrence weights that is
    multiplied with the hidden state.
    """

    def count(call: Call) -> int:
        steps, batch = _known(call.inputs, 0, slice(2))
        weight, recurrence = _known(call.inputs, 1), _known(call.inputs, 2)
        width, hidden = weight[features], recurrence[features]
        return steps * batch * recurrence[0] * GATES[kind] * hidden * (width + hidden)

    return count


def _einsum(call: Call) -> int:
    """Return the product of all extents if two operands are contracted, else 0.

    The axes of an ellipsis are named from the last one, as they are broadcast.
    """
    left, arrow, right = str(call.attributes.get("equation", "")).replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) < 2:
        return 0
    extents: dict[str, int] = {}
    for number, term in enumerate(terms):
        shape = _known(call.inputs, number)
        before, ellipsis, after = term.partition("...")
        num_hidden = len(shape) - len(before) - len(after)
        if num_hidden < 0 or (num_hidden and not ellipsis):
            raise Open
        hidden = [f"...{n}" for n in range(num_hidden, 0, -1)]
        for name, size in zip([*before, *hidden, *after], shape, strict=True):
            extents[name] = max(size, extents.get(name, 1))
            if size == 0:
                return 0
    letters = [c for c in left if c not in ",."]
    summed = set(letters) - set(right) if arrow else {c for c in letters if letters.count(c) > 1}
    return prod(extents.values()) * (len(terms) - 1) if summed else 0


def _attention(call: Call) -> int:
    """Count ai.onnx Attention: query, key, value of [batch, heads, length, width] or [batch, length, width]."""
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
    past = _known(call.inputs, 4)[2] if _has(call, 4) else 0
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
        query = _known(call.inputs, 0)
        if len(query) == 5:  # query, key and value: batch, length, heads, 3, width
            hidden = value_hidden = query[2] * query[4]
            length = query[1]
        else:
            hidden, key = query[2], _known(call.inputs, 1)
            length = key[1] if len(key) in (3, 5) else key[2]
            if len(key) == 5:  # key and value: batch, length, heads, 2, width
                value_hidden = key[2] * key[4]
            else:
                value = _known(call.inputs, 2)
                value_hidden = value[-1] if len(value) == 3 else value[1] * value[3]
        if _has(call, past_key):
            shared = _shared_buffer(call, past_length)
            length += _known(call.inputs, past_key)[2] if shared is None else shared
        return query[0] * query[1] * length * (hidden + value_hidden)

    return count


def _packed_attention(past: int, past_length: int) -> Counter:
    """Return the count of com.microsoft Attention and QAttention: the projection of [batch, length, width], then both
    products.

    `past`: the input of [2, batch, heads, length, width] with the past keys and values.
    """

    def count(call: Call) -> int:
        x, weight = _known(call.inputs, 0), _known(call.inputs, 1)
        sizes: list[int] = call.attributes.get("qkv_hidden_sizes") or [weight[1] // 3] * 3
        length = x[1]
        if _has(call, past):
            shared = _shared_buffer(call, past_length)
            length += _known(call.inputs, past)[3] if shared is None else shared
        return prod(x) * weight[1] + x[0] * x[1] * length * (sizes[0] + sizes[2])

    return count


def _grouped_query_attention(call: Call) -> int:
    """Count com.microsoft GroupQueryAttention, with key and value packed into the query or not."""
    query = _known(call.inputs, 0)
    heads = int(call.attributes.get("num_heads") or 0)
    if _has(call, 1):
        hidden = query[2]
    else:
        both = heads + 2 * int(call.attributes.get("kv_num_heads") or 0)
        if not heads:
            raise Open
        hidden = query[2] // both * heads
    total = call.value(6)
    if total is None:
        added = _known(call.inputs, 1)[1] if _has(call, 1) else query[1]
        total = added + (_known(call.inputs, 3)[2] if _has(call, 3) else 0)
    return query[0] * query[1] * int(total) * 2 * hidden


def _linear_attention(call: Call) -> int:
    """Count LinearAttention: per token and head the outer product of key and value, the product of query and state, and
    for the delta rules the product of key and state.
    """
    query, key, value = (_known(call.inputs, n) for n in range(3))
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
        tokens = prod(_known(call.inputs, 0)[:-1])
        each = sum(prod(_known(call.inputs, n)[1:]) for n in first if n < 4 or _has(call, n))
        packed = 8 // int(call.attributes.get(bits) or 4) if bits else 1
        return tokens * int(call.attributes.get("k") or 1) * each * packed

    return count


def _input_times(name: str) -> Counter:
    """Return a count of elements of the input times an attribute: the number of outputs of a linear layer."""
    return lambda call: prod(_known(call.inputs, 0)) * int(call.attributes[name])


def _linear_model(call: Call) -> int:
    """Count LinearRegressor and LinearClassifier: samples x features x targets."""
    shape = _known(call.inputs, 0)
    samples = shape[0] if len(shape) > 1 else 1
    return samples * len(call.attributes.get("coefficients") or ())


def _affine_grid(call: Call) -> int:
    """Count every position of the grid, in homogeneous coordinates, times the rows of the matrix."""
    grid = _known(call.outputs, 0)
    return prod(grid) * (grid[-1] + 1)


def _distances(call: Call) -> int:
    """Count CDist: every row of one operand against every row of the other."""
    left, right = _known(call.inputs, 0), _known(call.inputs, 1)
    return left[0] * right[0] * left[1]


def _position_bias(call: Call) -> int:
    """Count GatedRelativePositionBias: the query of every head times the weight."""
    return prod(_known(call.inputs, 0)) * _known(call.inputs, 3)[1]


COUNTERS: Final[dict[str, Counter]] = {
    "Conv": _conv(1),
    "ConvInteger": _conv(1),
    "FusedConv": _conv(1),
    "NhwcConv": _conv(1),
    "NhwcFusedConv": _conv(1),
    "QLinearConv": _conv(3),
    "DeformConv": _conv(1),
    "CausalConvWithState": _conv(1),
    "ConvTranspose": _transposed_conv,
    "ConvTransposeWithDynamicPads": _transposed_conv,
    "Gemm": _product(0, 1, transposed=FLIPS),
    "FusedGemm": _product(0, 1, transposed=FLIPS),
    "GemmFloat8": _product(0, 1, transposed=FLIPS),
    "GemmFastGelu": _product(0, 1),
    "QGemm": _product(0, 3, transposed=FLIPS),
    "MatMul": _product(0, 1),
    "FusedMatMul": _product(0, 1, transposed=FLIPS),
    "TransposeMatMul": _product(0, 1, transposed=FLIPS),
    "FusedMatMulActivation": _product(0, 1, transposed=FLIPS),
    "MatMulInteger": _product(0, 1),
    "MatMulInteger16": _product(0, 1),
    "MatMulIntegerToFloat": _product(0, 1),
    "DynamicQuantizeMatMul": _product(0, 1),
    "QLinearMatMul": _product(0, 3),
    "MatMulNBits": _input_times("N"),
    "MatMulBnb4": _input_times("N"),
    "Einsum": _einsum,
    "AffineGrid": _affine_grid,
    "CDist": _distances,
    "GatedRelativePositionBias": _position_bias,
    "LinearRegressor": _linear_model,
    "LinearClassifier": _linear_model,
    "LSTM": _recurrent("LSTM"),
    "GRU": _recurrent("GRU"),
    "RNN": _recurrent("RNN"),
    "DynamicQuantizeLSTM": _recurrent("LSTM", features=1),
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
