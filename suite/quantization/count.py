"""Worker side. Counts what is quantized in a graph file: operators by kind, and bytes of weights by type."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from suite.results.quantize import OperatorCount

INTEGER: Final = frozenset(
    {
        "ConvInteger",
        "DynamicQuantizeLSTM",
        "DynamicQuantizeMatMul",
        "MatMulInteger",
        "MatMulIntegerToFloat",
        "QAttention",
        "QGemm",
        "QLinearConv",
        "QLinearMatMul",
    }
)
"""Operators that compute in 8 bits."""

WEIGHTED: Final = frozenset(
    {"Attention", "Conv", "ConvTranspose", "GRU", "Gemm", "LSTM", "MatMul", "RNN"}
    | {"FusedConv", "FusedGemm", "FusedMatMul", "NhwcFusedConv"}
)
"""Operators that multiply by weights, in float; the second line lists ONNX Runtime's fused variants of the first."""

CONVERSIONS: Final = ("DequantizeLinear", "DynamicQuantizeLinear", "QuantizeLinear")
"""Operators that convert between 8 bits and float."""

TABLE: Final = "Gather"
"""Looks up rows of a table: an embedding, if the table is a stored matrix."""

PASSED: Final = frozenset({"Cast", "Reshape", "Squeeze", "Transpose", "Unsqueeze", "Identity"})
"""Operators that may stand between a stored weight and its consumer."""


def count(graph: Path) -> OperatorCount:
    """Count what is quantized in the file.

    The quantized operators are those of INTEGER, those of WEIGHTED whose data and weight both come from
    DequantizeLinear, and "Embedding": tables looked up in 8 bits.
    """
    import onnx

    model = onnx.load(graph)
    makers = {output: node for node in _nodes(model) for output in node.output}
    types = {tensor.name: tensor.data_type for tensor in _tensors(model)}
    small = (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)
    quantized: Counter[str] = Counter()
    floating: Counter[str] = Counter()
    without: Counter[str] = Counter()
    conversions = 0
    for node in _nodes(model):
        kind = node.op_type
        conversions += kind in CONVERSIONS
        if kind in INTEGER:
            quantized[kind] += 1
        elif kind in WEIGHTED:
            sources = [_source(name, makers, types) for name in node.input[:2]]
            if sources[:2] == ["DequantizeLinear"] * 2:
                quantized[kind] += 1
            elif sources[-1] == "activation":
                without[kind] += 1
            else:
                floating[kind] += 1
        elif kind == TABLE and types.get(node.input[0]) in small:
            quantized["Embedding"] += 1
    return OperatorCount(
        quantized=dict(sorted(quantized.items())),
        num_quantized=quantized.total() - quantized["Embedding"],
        floating=dict(sorted(floating.items())),
        without_weights=dict(sorted(without.items())),
        weight_bytes=_bytes_by_type(model),
        num_bytes=graph.stat().st_size,
        num_conversions=conversions,
    )


def weights_by_operator(model: Any) -> dict[str, int]:
    """Return operator of WEIGHTED -> bytes of the stored tensors that its nodes read, each tensor once."""
    sizes = {tensor.name: bytes_of(tensor) for tensor in _tensors(model)}
    found: dict[str, set[str]] = {}
    for node in _nodes(model):
        if node.op_type in WEIGHTED:
            found.setdefault(node.op_type, set()).update(n for n in node.input if n in sizes)
    return {kind: sum(sizes[name] for name in names) for kind, names in found.items() if names}


def _source(name: str, makers: dict[str, Any], types: dict[str, int]) -> str:
    """Return the origin of an operand: DequantizeLinear, stored (in float), or activation."""
    while True:
        if name in types:
            return "stored"
        node = makers.get(name)
        if node is None:
            return "activation"
        if node.op_type == "DequantizeLinear":
            return "DequantizeLinear"
        if node.op_type == "Constant":
            return "stored"
        if node.op_type not in PASSED:
            return "activation"
        name = node.input[0]


def _nodes(model: Any) -> Iterator[Any]:
    """Yield every node, including those of subgraphs and local functions."""
    from suite.onnx_summary import nodes_of

    yield from nodes_of(model)


def _tensors(model: Any) -> Iterator[Any]:
    """Yield every stored tensor, including those of subgraphs."""
    yield from model.graph.initializer
    for node in _nodes(model):
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                yield from graph.initializer


def bytes_of(tensor: Any) -> int:
    """Return the bytes of a stored tensor's values."""
    import onnx

    itemsize: int = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    return itemsize * math.prod(int(extent) for extent in tensor.dims)


def _bytes_by_type(model: Any) -> dict[str, int]:
    import onnx

    totals: Counter[str] = Counter()
    for tensor in _tensors(model):
        totals[onnx.TensorProto.DataType.Name(tensor.data_type).lower()] += bytes_of(tensor)
    return dict(sorted(totals.items()))
