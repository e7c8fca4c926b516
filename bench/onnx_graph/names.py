"""What names of nodes and tensors say: quantizers put things behind them, exporters number them."""

from __future__ import annotations

import re
from typing import Final

FAMILIES: Final = {
    **dict.fromkeys(("QLinearConv", "ConvInteger", "FusedConv"), "Conv"),
    **dict.fromkeys(("QLinearMatMul", "MatMulInteger", "MatMulIntegerToFloat"), "MatMul"),
    **dict.fromkeys(("DynamicQuantizeMatMul", "FusedMatMul", "MatMulNBits"), "MatMul"),
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
"""Operator without domain -> the one that it is a version of."""
SUFFIXES: Final = (
    "_MatMul_quant",
    "_quant",
    "_DequantizeLinear_Output",
    "_output_quantized",
    "_Transposed_quantized",
    "_quantized",
)
"""What ONNX Runtime's quantizer puts behind names, the longer ones first."""
_NUMBERED: Final = re.compile(r"(_?val|_?const|onnx::\w+|initializer|t|\w*Constant)[_.]?\d+")


def family(operator: str) -> str:
    """The operator, or the one that it is a quantized or fused version of."""
    return FAMILIES.get(operator.rpartition("::")[2], operator)


def bare(name: str) -> str:
    """The name without what a quantizer put behind it."""
    for suffix in SUFFIXES:
        if name.endswith(suffix) and len(name) > len(suffix):
            return name.removesuffix(suffix)
    return name


def is_numbered(name: str) -> bool:
    """Whether an exporter made the name up, so that the next export may give it to something else."""
    return _NUMBERED.fullmatch(name) is not None
