"""Plain operators in the place of ONNX Runtime's own, for shape inference, which knows only the former."""

from __future__ import annotations

from typing import Any, Final

MICROSOFT: Final = "com.microsoft"
STAND_INS: Final[dict[str, tuple[str, tuple[int, ...] | slice]]] = {
    "QLinearConcat": ("Concat", slice(2, None, 3)),
    "QLinearAdd": ("Add", (0, 3)),
    "QLinearMul": ("Mul", (0, 3)),
    "QLinearSigmoid": ("Sigmoid", (0,)),
    "QLinearLeakyRelu": ("LeakyRelu", (0,)),
    "QLinearSoftmax": ("Softmax", (0,)),
    "QLinearAveragePool": ("AveragePool", (0,)),
    "QLinearGlobalAveragePool": ("GlobalAveragePool", (0,)),
    "QLinearReduceMean": ("ReduceMean", (0,)),
    "QLinearWhere": ("Where", (0, 1, 4)),
    "QGemm": ("Gemm", (0, 3)),
    "FusedConv": ("Conv", (0, 1, 2)),
    "FusedGemm": ("Gemm", (0, 1, 2)),
    "FusedMatMul": ("MatMul", (0, 1)),
    "DynamicQuantizeMatMul": ("MatMul", (0, 1)),
    "MatMulIntegerToFloat": ("MatMul", (0, 1)),
    "DynamicQuantizeLSTM": ("LSTM", (0, 1, 2)),
    "Gelu": ("Relu", (0,)),
    "FastGelu": ("Relu", (0,)),
    "BiasGelu": ("Relu", (0,)),
    "QuickGelu": ("Relu", (0,)),
    "QuantizeLinear": ("QuantizeLinear", (0, 1, 2)),
    "DequantizeLinear": ("DequantizeLinear", (0, 1, 2)),
    "SkipLayerNormalization": ("Relu", (0,)),
}
"""Operator of com.microsoft -> an operator of ONNX whose result has the same shape, and the inputs that it takes."""


def put_stand_ins(graph: Any) -> bool:
    """Puts them in a GraphProto, in place; whether there were any. It is good for nothing but shapes then."""
    is_changed = False
    for node in graph.node:
        if node.domain != MICROSOFT or node.op_type not in STAND_INS:
            continue
        operator, places = STAND_INS[node.op_type]
        if isinstance(places, slice):
            names = list(node.input[places])
        else:
            names = [node.input[place] for place in places if place < len(node.input)]
        node.domain, node.op_type = "", operator
        del node.input[:]
        node.input.extend(names)
        if operator != "LSTM":
            del node.output[1:]
        is_changed = True
    return is_changed
