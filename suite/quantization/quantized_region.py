"""Worker side. The part of a graph that static quantization covers: layers with weights, and operators between them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

LAYERS: Final = ("Conv", "Gemm", "MatMul")
"""The layers with an 8-bit CPU kernel in ONNX Runtime. Not ConvTranspose, rewritten first: see transposed.py."""

CARRIERS: Final = (
    "Add",
    "AveragePool",
    "Clip",
    "Concat",
    "Flatten",
    "GlobalAveragePool",
    "LeakyRelu",
    "MaxPool",
    "Mul",
    "Relu",
    "Reshape",
    "Resize",
    "Sigmoid",
    "Slice",
    "Split",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
)
"""Operators that keep values in 8 bits, with a kernel of their own or because they only move values."""

COMBINING: Final = ("Add", "Concat", "Mul")
"""Carriers of several values, none of them constant: a residual or a gate qualifies, the decoding of a box does not."""


def region_of(model: Any, operators: Collection[str], excluded: Collection[str] = ()) -> list[str]:
    """Return the names of the nodes to quantize, in the graph's order; nodes need names (see nodes.name_all).

    A layer is included if it multiplies by a stored weight, so that attention's products of activations stay float. A
    carrier is included if all its inputs come from included convolutions and everything between it and an included
    layer is included: values stay in 8 bits from layer to layer, and the postprocessing of the last layer's output
    (boxes, probabilities, an enlarged mask) is computed in float, as are attention and activations of transformers.
    """
    ranks = {tensor.name: len(tensor.dims) for tensor in model.graph.initializer}
    allowed = [
        node for node in model.graph.node if node.op_type in operators and node.name not in excluded
    ]
    layers = {node.name for node in allowed if _is_layer(node, ranks)}
    behind: set[str] = set()
    for node in allowed:  # in topological order
        is_carried = node.op_type in CARRIERS and behind.issuperset(_values(node))
        if is_carried or (node.name in layers and node.op_type == "Conv"):
            behind.update(node.output)
    taken = set(layers)
    wanted = {node.input[0] for node in allowed if node.name in layers}
    for node in reversed(allowed):
        is_carried = node.op_type in CARRIERS and behind.issuperset(node.output)
        if is_carried and wanted.intersection(node.output):
            taken.add(node.name)
            wanted.update(_values(node))
    return [node.name for node in allowed if node.name in taken]


def _is_layer(node: Any, ranks: Mapping[str, int]) -> bool:
    """Return True if ONNX Runtime can run it in 8 bits: it has a stored weight, for MatMul a single matrix (for
    several, per-channel scales are rejected: "b zero point is not valid").
    """
    if node.op_type not in LAYERS or len(node.input) < 2 or node.input[1] not in ranks:
        return False
    return node.op_type != "MatMul" or ranks[node.input[1]] == 2


def _values(node: Any) -> list[str]:
    """Return the data inputs; the others are parameters: a shape, bounds, paddings."""
    return list(node.input) if node.op_type in COMBINING else list(node.input[:1])
