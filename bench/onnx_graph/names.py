"""Interpretation of node and tensor names: quantizers add suffixes, exporters number them."""

from __future__ import annotations

import re
from typing import Final

FAMILIES: Final = {
    **dict.fromkeys(("QLinearConv", "ConvInteger", "FusedConv"), "Conv"),
    **dict.fromkeys(("QLinearMatMul", "MatMulInteger", "MatMulIntegerToFloat"), "MatMul"),
    **dict.fromkeys(
        ("DynamicQuantizeMatMul", "FusedMatMul", "MatMulNBits", "MatMulBnb4"), "MatMul"
    ),
    **dict.fromkeys(("Gemm", "QGemm", "FusedGemm"), "MatMul"),
    "DynamicQuantizeLSTM": "LSTM",
    "QAttention": "Attention",
    **{
        f"QLinear{name}": name
        for name in ("Add", "Mul", "Sigmoid", "LeakyRelu", "Concat", "Softmax")
    },
    "QLinearAveragePool": "AveragePool",
    "QLinearGlobalAveragePool": "GlobalAveragePool",
}
"""Operator without domain -> the operator of which it is a version."""
SUFFIXES: Final = (
    "_MatMul_quant",
    "_quant",
    "_DequantizeLinear_Output",
    "_output_quantized",
    "_Transposed_quantized",
    "_quantized",
)
"""Suffixes that ONNX Runtime's quantizer adds to names, the longer ones first."""
_NUMBERED: Final = re.compile(r"(_?val|_?const|onnx::\w+|initializer|t|\w*Constant)[_.]?\d+")


def family(operator: str) -> str:
    """Return the operator of which this one is a quantized or fused version, or itself."""
    return FAMILIES.get(operator.rpartition("::")[2], operator)


def bare(name: str) -> str:
    """Return the name without a quantizer's suffix."""
    for suffix in SUFFIXES:
        if name.endswith(suffix) and len(name) > len(suffix):
            return name.removesuffix(suffix)
    return name


def is_numbered(name: str) -> bool:
    """Return whether an exporter generated the name, so that the next export may reuse it for another item."""
    return _NUMBERED.fullmatch(name) is not None
