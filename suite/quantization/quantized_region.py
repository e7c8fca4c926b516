"""Worker side. The part of a graph that static quantization covers: layers with weights, and what lies between them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

LAYERS: Final = ("Conv", "Gemm", "MatMul")
"""What ONNX Runtime has an 8-bit CPU kernel for. Not ConvTranspose, which is rewritten first: see transposed.py."""

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
"""What passes 8-bit values on, by a kernel of its own or because it only moves them."""

COMBINING: Final = ("Add", "Concat", "Mul")
"""Carriers of several values, none of them a constant: a residual or a gate is carried, the decoding of a box not."""


def region_of(model: Any, operators: Collection[str], excluded: Collection[str] = ()) -> list[str]:
    """Names of the nodes to quantize, in the graph's order; nodes need names (see nodes.name_all).

    A layer is taken when it multiplies by a stored weight, so that attention's products of activations stay float.
    A carrier is taken when all that it gets comes from taken convolutions, and all that lies between it and a taken
    layer is taken: the values stay in 8 bits from layer to layer, and what is made of the last layer's answer (boxes,
    probabilities, an enlarged mask) is computed in float, as are attention and activations of transformers.
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
    """Whether ONNX Runtime can run it in 8 bits: a stored weight, for MatMul of one matrix (of several, per-channel
    scales are refused: "b zero point is not valid").
    """
    if node.op_type not in LAYERS or len(node.input) < 2 or node.input[1] not in ranks:
        return False
    return node.op_type != "MatMul" or ranks[node.input[1]] == 2


def _values(node: Any) -> list[str]:
    """The inputs that hold what is computed; the others say how: a shape, bounds, paddings."""
    return list(node.input) if node.op_type in COMBINING else list(node.input[:1])
