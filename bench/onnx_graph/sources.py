"""Resolution of a node's inputs to stored tensors, quantized or not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final

from bench.onnx_graph.names import FAMILIES
from bench.onnx_graph.packed import FP4, NF4, Packing
from bench.onnx_graph.record import Graph, Node, Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A stored tensor and how to convert it to the float domain: (tensor - zero point) x scale."""

    tensor: str
    scale: str = ""
    """Name of the scale; empty: stored unquantized."""
    zero_point: str = ""
    axis: int = 1
    """Axis of a one-dimensional scale."""
    block: int = 0
    """Elements along the axis that share a scale; 0 = all."""
    is_transposed: bool = False
    """Whether its last two axes are swapped compared to the operator of which this one is a version."""
    packing: Packing | None = None
    """Packing of several integers per byte, if defined by the operator and not by the tensor's type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Input positions of one weight of a quantized operator."""

    plain: int
    """Position in the unquantized operator."""
    data: int
    scale: int | None = None
    """None: the file names it `NAME_scale`."""
    zero_point: int | None = None
    axis: int = -1
    is_transposed: bool = False


LAYOUTS: Final[dict[str, tuple[_Layout, ...]]] = {
    "QLinearConv": (_Layout(plain=1, data=3, scale=4, zero_point=5, axis=0),),
    "QLinearMatMul": (_Layout(plain=1, data=3, scale=4, zero_point=5),),
    "QGemm": (_Layout(plain=1, data=3, scale=4, zero_point=5),),
    "ConvInteger": (_Layout(plain=1, data=1, zero_point=3, axis=0),),
    "MatMulInteger": (_Layout(plain=1, data=1, zero_point=3),),
    "MatMulIntegerToFloat": (_Layout(plain=1, data=1, scale=3, zero_point=5),),
    "DynamicQuantizeMatMul": (_Layout(plain=1, data=1, scale=2, zero_point=3),),
    **dict.fromkeys(
        ("QLinearAdd", "QLinearMul"),
        (
            _Layout(plain=0, data=0, scale=1, zero_point=2),
            _Layout(plain=1, data=3, scale=4, zero_point=5),
        ),
    ),
    "DynamicQuantizeLSTM": (
        _Layout(plain=1, data=1, scale=8, zero_point=9, is_transposed=True),
        _Layout(plain=2, data=2, scale=10, zero_point=11, is_transposed=True),
        _Layout(plain=3, data=3),
    ),
}
"""Operator without domain -> its weights."""

QUANTIZED_ONLY: Final = frozenset(name for name in FAMILIES if name.startswith("QLinear"))
"""Quantized operators; the weights of those without a layout are unknown."""
PARAMETERS: Final = {
    "QuantizeLinear": (1, 2),
    "DequantizeLinear": (1, 2),
    "QLinearConv": (1, 2, 4, 5, 6, 7),
    "QLinearMatMul": (1, 2, 4, 5, 6, 7),
    "QLinearAdd": (1, 2, 4, 5, 6, 7),
    "QLinearMul": (1, 2, 4, 5, 6, 7),
    "QGemm": (1, 2, 4, 5, 7, 8),
    "QLinearSigmoid": (1, 2, 3, 4),
    "QLinearLeakyRelu": (1, 2, 3, 4),
    "QLinearSoftmax": (1, 2, 3, 4),
    "QLinearAveragePool": (1, 2, 3, 4),
    "QLinearGlobalAveragePool": (1, 2, 3, 4),
    "MatMulNBits": (2, 3),
    "MatMulBnb4": (2,),
    "GatherBlockQuantized": (2, 3),
}
"""Operator -> the inputs that are scales and zero points."""
BLOCKWISE: Final = {
    "MatMulNBits": (1, 2, 3),
    "MatMulBnb4": (1, 2, 3),
    "GatherBlockQuantized": (0, 2, 3),
}
"""Operator whose weights are quantized by block -> the inputs with its weights, their scales and zero points."""
QUANTIZED: Final = "_quantized"
ENDS: Final = ("_scale", "_zero_point")
"""Suffixes with which ONNX Runtime's quantizer names a tensor's parameters."""
STORED: Final = frozenset({"Identity", "Cast"})
"""Operators that pass on a stored tensor."""


def sources_of(graph: Graph) -> dict[str, Source]:
    """Return value -> the stored tensor that it is, directly or through DequantizeLinear, Identity and Cast."""
    tensors = {tensor.name: tensor for tensor in graph.tensors}
    found = {name: _stored(name, tensors) for name in tensors}
    for node in graph.nodes:
        operator = node.operator.rpartition("::")[2]
        if not node.inputs or not node.outputs or node.inputs[0] not in found:
            continue
        if operator in STORED:
            found[node.outputs[0].name] = found[node.inputs[0]]
        elif operator == "Transpose" and dict(node.attributes).get("perm", "[1, 0]") == "[1, 0]":
            source = found[node.inputs[0]]
            if len(tensors[source.tensor].shape) == 2:
                found[node.outputs[0].name] = replace(
                    source, is_transposed=not source.is_transposed
                )
        elif operator == "DequantizeLinear" and len(node.inputs) > 1:
            attributes = dict(node.attributes)
            found[node.outputs[0].name] = Source(
                tensor=found[node.inputs[0]].tensor,
                scale=node.inputs[1],
                zero_point=node.inputs[2] if len(node.inputs) > 2 else "",
                axis=_number(attributes.get("axis"), 1),
                block=_number(attributes.get("block_size"), 0),
            )
    for node in graph.nodes:
        if (blockwise := _blockwise(node, tensors)) is not None:
            found[blockwise.tensor] = blockwise
    return found


def weights_of(node: Node, sources: Mapping[str, Source]) -> dict[int, Source]:
    """Return input's position in the unquantized operator -> the stored tensor there."""
    operator = node.operator.rpartition("::")[2]
    if operator in BLOCKWISE:
        place = BLOCKWISE[operator][0]
        source = sources.get(_at(node, place))
        others = {
            n: sources[name]
            for n, name in enumerate(node.inputs)
            if n not in BLOCKWISE[operator] and name in sources
        }
        return others if source is None else {place: source, **others}
    layouts = LAYOUTS.get(operator, () if operator in QUANTIZED_ONLY else None)
    if layouts is None:
        found = {n: sources[name] for n, name in enumerate(node.inputs) if name in sources}
    else:
        found = {
            layout.plain: _laid_out(node, layout, sources)
            for layout in layouts
            if _at(node, layout.data) in sources
        }
    if operator in ("Gemm", "QGemm") and 1 in found and dict(node.attributes).get("transB") == "1":
        found[1] = replace(found[1], is_transposed=True)
    return found


def _laid_out(node: Node, layout: _Layout, sources: Mapping[str, Source]) -> Source:
    source = sources[_at(node, layout.data)]
    scale = source.scale if layout.scale is None else _at(node, layout.scale)
    if not scale:
        return source
    return Source(
        tensor=source.tensor,
        scale=scale,
        zero_point=source.zero_point if layout.zero_point is None else _at(node, layout.zero_point),
        axis=layout.axis,
        is_transposed=layout.is_transposed,
    )


def parameters_of(graph: Graph) -> set[str]:
    """Return names of the tensors that are scales and zero points."""
    names = {tensor.name for tensor in graph.tensors}
    used = {
        _at(node, place)
        for node in graph.nodes
        for place in PARAMETERS.get(node.operator.rpartition("::")[2], ())
    }
    stored = (name for name in names if name.endswith(QUANTIZED))
    named = {f"{name.removesuffix(QUANTIZED)}{end}" for name in stored for end in ENDS}
    return (used | named) & names


def _blockwise(node: Node, tensors: Mapping[str, Tensor]) -> Source | None:
    """Return the weights of a block-quantized operator; None for any other."""
    operator = node.operator.rpartition("::")[2]
    if operator not in BLOCKWISE:
        return None
    data, scale, zero = (_at(node, place) for place in BLOCKWISE[operator])
    tensor = tensors.get(data)
    if tensor is None or scale not in tensors or (zero and zero not in tensors):
        return None
    attributes = dict(node.attributes)
    bits = _number(attributes.get("bits"), 4)
    if operator == "MatMulBnb4":
        return _bnb4(tensor, scale, attributes)
    if operator == "MatMulNBits":
        shape = (_number(attributes.get("N"), 0), _number(attributes.get("K"), 0))
        block = _number(attributes.get("block_size"), 0)
        packing = Packing(shape=shape, bits=bits, block=block, axis=1) if block else None
        if packing is None or tensor.dtype != "uint8":
            return None
        return Source(
            tensor=data,
            scale=scale,
            zero_point=zero,
            block=block,
            is_transposed=True,
            packing=packing,
        )
    block = _number(attributes.get("block_size"), 128)
    axis = _number(attributes.get("quantize_axis"), 1)
    if tensor.dtype != "uint8":
        return Source(tensor=data, scale=scale, zero_point=zero, axis=axis, block=block)
    if len(tensor.shape) != 2 or axis not in (1, -1):
        return None
    packing = Packing(
        shape=(tensor.shape[0], tensor.shape[1] * 8 // bits), bits=bits, block=block, axis=1
    )
    return Source(tensor=data, scale=scale, zero_point=zero, block=block, packing=packing)


def _bnb4(tensor: Tensor, scale: str, attributes: Mapping[str, str]) -> Source | None:
    """Return the weights of a MatMulBnb4; None if its blocks go over the ends of rows."""
    shape = (_number(attributes.get("N"), 0), _number(attributes.get("K"), 0))
    block = _number(attributes.get("block_size"), 0)
    if tensor.dtype != "uint8" or not block or shape[1] % block or shape[1] % 2:
        return None
    table = NF4 if attributes.get("quant_type") == "1" else FP4
    packing = Packing(shape=shape, bits=4, block=block, axis=1, table=table)
    return Source(tensor=tensor.name, scale=scale, block=block, is_transposed=True, packing=packing)


def _stored(name: str, names: Collection[str]) -> Source:
    """Return the tensor with the scale and the zero point that ONNX Runtime's quantizer named after it."""
    start = name.removesuffix(QUANTIZED)
    scale, zero = (f"{start}{end}" for end in ENDS)
    if start == name or scale not in names:
        return Source(tensor=name)
    return Source(tensor=name, scale=scale, zero_point=zero if zero in names else "", axis=-1)


def _at(node: Node, place: int) -> str:
    return node.inputs[place] if place < len(node.inputs) else ""


def _number(text: str | None, default: int) -> int:
    return default if text is None else int(text)
