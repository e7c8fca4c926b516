"""Worker side. Summary of a graph file: operators, nodes, inputs and outputs, bytes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from suite.results.export import GraphValue, OnnxSummary


def summary_of(path: Path, recipe: str) -> OnnxSummary:
    """Summarize the graph at `path`, made by the exporter `recipe`.

    `num_nodes` and `operators` include the nodes of subgraphs (loops, branches) and local functions. Dynamic axes
    appear by name in the shapes of `inputs` and `outputs`.
    """
    import onnx

    model = onnx.load(path, load_external_data=False)
    operators = Counter(_operator(node) for node in nodes_of(model))
    return OnnxSummary(
        opset=next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), None),
        ir_version=model.ir_version,
        exporter=recipe,
        producer=f"{model.producer_name} {model.producer_version}".strip(),
        num_nodes=operators.total(),
        operators=dict(sorted(operators.items(), key=lambda item: (-item[1], item[0]))),
        inputs=tuple(_value(v) for v in model.graph.input),
        outputs=tuple(_value(v) for v in model.graph.output),
        num_initializers=len(model.graph.initializer),
        initializer_bytes=sum(_num_bytes(t) for t in model.graph.initializer),
        num_bytes=sum(file.stat().st_size for file in files_of(path)),
    )


def files_of(path: Path) -> list[Path]:
    """Return the graph's file, and its external weights file if there is one."""
    data = path.with_name(f"{path.name}.data")
    return [path, data] if data.exists() else [path]


def nodes_of(model: Any) -> Iterator[Any]:
    """Yield every NodeProto of a ModelProto, depth first."""
    yield from _walk(model.graph.node)
    for function in model.functions:
        yield from _walk(function.node)


def _walk(nodes: Any) -> Iterator[Any]:
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                yield from _walk(graph.node)


def _operator(node: Any) -> str:
    return node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}::{node.op_type}"


def _value(value: Any) -> GraphValue:
    import onnx

    tensor = value.type.tensor_type
    shape = tuple(
        d.dim_param or (d.dim_value if d.HasField("dim_value") else "?") for d in tensor.shape.dim
    )
    dtype = onnx.TensorProto.DataType.Name(tensor.elem_type).lower()
    return GraphValue(name=value.name, dtype=dtype, shape=shape)


def _num_bytes(tensor: Any) -> int:
    import onnx

    itemsize: int = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    return itemsize * math.prod(int(d) for d in tensor.dims)
