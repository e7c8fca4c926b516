"""Worker side. Dynamic quantization of a graph: 8-bit weights, activation ranges computed at run time."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Collection
from pathlib import Path
from typing import Final

from suite.axes import QUANTIZE
from suite.lifecycle import Quantization
from suite.quantization.beside import weights_beside
from suite.quantization.count import TABLE, weights_by_operator
from suite.quantization.embeddings import tables_in
from suite.quantization.errors import QuantizationError
from suite.quantization.prepare import Prepared, prepare_apart
from suite.quantization.quick_channels import quick_channels
from suite.quantization.report import completed
from suite.quantization.types import U8S7, U8S8, types_here
from suite.results.quantize import EightBitTypes, QuantizationReport

OPERATORS: Final = ("MatMul", "Gemm", "LSTM", TABLE)
"""The default operators if the record names none; Gather stands for embedding tables."""

RANKS: Final = {"MatMul": 2, "Gemm": 2, "LSTM": 3}
"""Operator -> required number of dimensions of the weight, its second input."""

REFUSED: Final = {
    "Conv": (
        "ONNX Runtime makes ConvInteger of it, which it never optimized (3.5 times slower than float32;"
        " https://github.com/microsoft/onnxruntime/issues/12854); use method 'static'"
    ),
    "GRU": (
        "ONNX Runtime has no quantized GRU and none is planned; it stays float32"
        " (https://github.com/microsoft/onnxruntime/issues/9796)"
    ),
    "RNN": "ONNX Runtime has no quantized RNN; it stays float32",
    "ConvTranspose": "ONNX Runtime has no quantized ConvTranspose; it stays float32",
}
"""Operator -> why it is not quantized dynamically."""


def quantize_dynamic_graph(
    graph: Path, output: Path, settings: Quantization, *, types: EightBitTypes | None = None
) -> QuantizationReport:
    """Write the quantized graph; return what was done to it, and what was left in float and why.

    Weights get a scale per channel; activations are always unsigned. Products of two activations (attention) stay
    float. Raises QuantizationError when `settings.operators` names one of REFUSED, when the graph has nothing to
    quantize (a convolutional net), and when an exclusion matches no node.
    """
    operators = settings.operators or OPERATORS
    for name in operators:
        if name not in OPERATORS:
            why = REFUSED.get(name, f"expected some of {', '.join(OPERATORS)}")
            raise QuantizationError(f"{graph.name}: {name} is not quantized dynamically: {why}")
    types = types or types_here() or U8S7
    if types.weight != "QInt8":
        types = U8S8
    with tempfile.TemporaryDirectory(prefix="quantize-") as folder:
        begin = time.perf_counter()
        prepared = prepare_apart(graph, Path(folder), settings.excluded)
        if not settings.operators:
            _refuse_convolutions(graph, prepared)
        chosen = _chosen(prepared, operators)
        if not chosen:
            raise QuantizationError(
                f"{graph.name}: no operator is left to quantize: of {', '.join(operators)} the graph has none with"
                f" stored weights beside the {len(prepared.excluded)} excluded nodes; next: look at `method`,"
                " `operators` and `excluded` of the model's Quantization"
            )
        middle = time.perf_counter()
        made = prepared.path.with_name("quantized.onnx")
        _quantize(prepared, made, chosen, types)
        tables = tables_in(made, output, prepared, has_tables=TABLE in operators)
        end = time.perf_counter()
    report = QuantizationReport(
        method="dynamic",
        types=types,
        prepared=prepared.preparation,
        excluded=tuple(prepared.excluded),
        embeddings=tuple(tables),
        refused=_refused(prepared),
        seconds={"prepare": middle - begin, QUANTIZE: end - middle},
    )
    return completed(report, graph, output)


def _chosen(prepared: Prepared, operators: Collection[str]) -> list[str]:
    """Return the names of the nodes to quantize: those of these operators whose weights are stored."""
    stored = {tensor.name: len(tensor.dims) for tensor in prepared.model.graph.initializer}
    return [
        node.name
        for node in prepared.model.graph.node
        if node.op_type in operators
        and node.op_type != TABLE
        and node.name not in prepared.excluded
        and stored.get(node.input[1]) == RANKS[node.op_type]
    ]


def _quantize(prepared: Prepared, output: Path, chosen: list[str], types: EightBitTypes) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with quick_channels(), weights_beside(prepared.path.parent):
        quantize_dynamic(
            prepared.path,
            output,
            op_types_to_quantize=["MatMul", "LSTM"],
            per_channel=True,
            reduce_range=types.reduce_range,
            weight_type=QuantType[types.weight],
            # Gemm is first decomposed into MatMul and Add under this name.
            nodes_to_quantize=[*chosen, *(f"{name}_MatMul" for name in chosen)],
        )


def _refuse_convolutions(graph: Path, prepared: Prepared) -> None:
    """Raise QuantizationError when most weights belong to convolutions, which would be left as they are."""
    sizes = weights_by_operator(prepared.model)
    share = sizes.get("Conv", 0) / max(1, sum(sizes.values()))
    if share > 0.5:
        raise QuantizationError(
            f"{graph.name}: {share:.0%} of the weights lie in Conv, which is not quantized dynamically:"
            f" {REFUSED['Conv']}, or name `operators` to quantize the rest alone"
        )


def _refused(prepared: Prepared) -> dict[str, str]:
    """Return the operators with weights that stay float, and why."""
    return {name: REFUSED[name] for name in weights_by_operator(prepared.model) if name in REFUSED}
