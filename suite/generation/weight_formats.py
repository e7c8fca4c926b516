"""Worker side. The graph that carries a cache, with its weights in fewer bits: int8, or int4 in blocks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from suite.axes import INT8
from suite.quantization.quick_channels import quick_channels
from suite.quantization.types import U8S7, U8S8, types_here

LEVEL: Final = 4
"""Accuracy level of MatMulNBits: activations are rounded to 8 bits, block by block, and multiplied as integers."""
BLOCKS: Final = {"int4_32": 32, "int4_128": 128}
"""Format -> weights that share a scale."""
FORMATS: Final = (INT8, *BLOCKS)
"""Formats that a graph is written in: dynamic int8 (weights and activations), and int4 of the weights alone."""


def write_format(graph: Path, output: Path, name: str) -> None:
    """Write the float graph at `graph` to `output` in that format; embeddings stay as they are."""
    import onnx

    model = onnx.load(graph)
    as_matrix_products(model)
    _WRITERS[name](model, output, name)


def _write_int4(model: Any, output: Path, name: str) -> None:
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    quantizer = MatMulNBitsQuantizer(
        model,
        bits=4,
        block_size=BLOCKS[name],
        is_symmetric=False,
        accuracy_level=LEVEL,
        op_types_to_quantize=("MatMul",),
    )
    quantizer.process()
    quantizer.model.save_model_to_file(str(output), True)


def _write_int8(model: Any, output: Path, name: str) -> None:
    from onnx import TensorProto
    from onnxruntime.quantization import QuantType, quantize_dynamic

    del model.graph.value_info[:]  # the exporter's shapes, with which inference may not agree
    types = types_here() or U8S7
    with quick_channels():
        quantize_dynamic(
            model,
            output,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            reduce_range=types.reduce_range if types.weight == U8S8.weight else False,
            weight_type=QuantType[U8S8.weight],
            use_external_data_format=True,
            extra_options={
                "DefaultTensorType": TensorProto.FLOAT
            },  # behind ONNX Runtime's operators
        )


PRODUCTS: Final = ("Gemm", "FusedMatMul")
"""Operators that are MatMul, with one matrix transposed, and Add."""

_WRITERS: Final[dict[str, Callable[[Any, Path, str], None]]] = {
    INT8: _write_int8,
    **dict.fromkeys(BLOCKS, _write_int4),
}


def as_matrix_products(model: Any) -> None:
    """Make MatMul and Add of every Gemm and FusedMatMul, and store transposed weights transposed, in place: the
    quantizer of blocks knows MatMul with a stored matrix alone.
    """
    from onnx import helper, numpy_helper

    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}

    def transposed(name: str) -> str:
        made = f"{name}_transposed"
        if made not in stored:
            array = numpy_helper.to_array(stored[name]).T.copy()
            stored[made] = numpy_helper.from_array(array, made)
            graph.initializer.append(stored[made])
        return made

    folded: dict[str, str] = {}
    nodes = []
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name in folded:
                node.input[place] = folded[name]
        told = {attribute.name: attribute for attribute in node.attribute}
        if node.op_type == "Transpose" and _rank(stored.get(node.input[0])) == 2:
            folded[node.output[0]] = transposed(node.input[0])
        elif node.op_type in PRODUCTS and node.input[1] in stored and _is_plain(told):
            weight = transposed(node.input[1]) if _of(told, "transB") else node.input[1]
            is_biased = len(node.input) > 2 and bool(node.input[2])
            product = f"{node.output[0]}_product" if is_biased else node.output[0]
            name = node.name or node.output[0]
            nodes.append(helper.make_node("MatMul", [node.input[0], weight], [product], name=name))
            if is_biased:
                nodes.append(helper.make_node("Add", [product, node.input[2]], [node.output[0]]))
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    for number, node in enumerate(graph.node):
        node.name = node.name or f"{node.op_type}_{number}"
    used = {name for node in graph.node for name in node.input} | {one.name for one in graph.output}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def bytes_on_disk(graph: Path) -> int:
    """Return the bytes of the graph's file and of the files beside it that hold its weights."""
    import onnx

    model = onnx.load(graph, load_external_data=False)
    beside = {
        entry.value
        for tensor in model.graph.initializer
        for entry in tensor.external_data
        if entry.key == "location"
    }
    return sum(path.stat().st_size for path in (graph, *(graph.parent / name for name in beside)))


def bytes_of_step(graph: Path) -> int:
    """Return the bytes of stored tensors that one step reads: all but tables of which it takes a row (embeddings)."""
    import onnx
    from onnx import TensorProto, helper

    nodes = onnx.load(graph, load_external_data=False).graph
    tables = {node.input[0] for node in nodes.node if node.op_type == "Gather"}
    read = {
        name
        for node in nodes.node
        for place, name in enumerate(node.input)
        if not (node.op_type == "Gather" and place == 0)
    }
    total = 0
    for tensor in nodes.initializer:
        if tensor.name in read or tensor.name not in tables:
            count = 1
            for extent in tensor.dims:
                count *= extent
            kind = tensor.data_type
            narrow = kind in (TensorProto.INT4, TensorProto.UINT4)
            total += (
                (count + 1) // 2
                if narrow
                else count * helper.tensor_dtype_to_np_dtype(kind).itemsize
            )
    return total


def _rank(tensor: Any) -> int:
    return len(tensor.dims) if tensor is not None else 0


def _of(told: dict[str, Any], name: str) -> int:
    return int(told[name].i) if name in told else 0


def _is_plain(told: dict[str, Any]) -> bool:
    scales = (told[name].f for name in ("alpha", "beta") if name in told)
    turned = ("transA", "transBatchA", "transBatchB")
    return not any(_of(told, name) for name in turned) and all(scale == 1 for scale in scales)
