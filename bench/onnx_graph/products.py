"""Multiply-accumulates of convolutions, matrix products, recurrent layers and linear models."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Final

from bench.onnx_graph.call import Call, Counter, Open, known

FLIPS: Final = ("transA", "transB")
GATES: Final = {"LSTM": 4, "GRU": 3, "RNN": 1}


def _conv(weight: int) -> Counter:
    return lambda call: prod(known(call.outputs, 0)) * prod(known(call.inputs, weight)[1:])


def _transposed_conv(call: Call) -> int:
    return prod(known(call.inputs, 0)) * prod(known(call.inputs, 1)[1:])


def _product(left: int, right: int, *, transposed: tuple[str, str] | None = None) -> Counter:
    """Return a count of elements of the result times the depth: the last axis of the left operand, the second to last
    of the right.
    """

    def count(call: Call) -> int:
        flips = [bool(call.attributes.get(name)) for name in transposed or ()] or [False, False]
        elements = prod(known(call.outputs, 0))
        for operand, axis in ((left, -2 if flips[0] else -1), (right, -1 if flips[1] else -2)):
            shape = call.inputs[operand] if operand < len(call.inputs) else None
            if shape is None:
                continue
            if len(shape) == 1 and not flips[0]:
                axis = -1  # a vector has only the depth
            if len(shape) >= -axis and isinstance(shape[axis], int):
                return elements * known([(shape[axis],)], 0)[0]
        raise Open

    return count


def _recurrent(kind: str, features: int = -1) -> Counter:
    """Return the count of a recurrent layer.

    `features`: the axis of the weights that is multiplied with the input, and of the recurrence weights that is
    multiplied with the hidden state.
    """

    def count(call: Call) -> int:
        steps, batch = known(call.inputs, 0, slice(2))
        weight, recurrence = known(call.inputs, 1), known(call.inputs, 2)
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
        shape = known(call.inputs, number)
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


def _input_times(name: str) -> Counter:
    """Return a count of elements of the input times an attribute: the number of outputs of a linear layer."""
    return lambda call: prod(known(call.inputs, 0)) * int(call.attributes[name])


def _linear_model(call: Call) -> int:
    """Count LinearRegressor and LinearClassifier: samples x features x targets."""
    shape = known(call.inputs, 0)
    samples = shape[0] if len(shape) > 1 else 1
    return samples * len(call.attributes.get("coefficients") or ())


def _affine_grid(call: Call) -> int:
    """Count every position of the grid, in homogeneous coordinates, times the rows of the matrix."""
    grid = known(call.outputs, 0)
    return prod(grid) * (grid[-1] + 1)


def _distances(call: Call) -> int:
    """Count CDist: every row of one operand against every row of the other."""
    left, right = known(call.inputs, 0), known(call.inputs, 1)
    return left[0] * right[0] * left[1]


def _position_bias(call: Call) -> int:
    """Count GatedRelativePositionBias: the query of every head times the weight."""
    return prod(known(call.inputs, 0)) * known(call.inputs, 3)[1]


CONVOLUTIONS: Final[Mapping[str, Counter]] = {
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
}
"""Convolution -> its count."""

PRODUCTS: Final[Mapping[str, Counter]] = {
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
}
"""Operator of one product -> its count."""
