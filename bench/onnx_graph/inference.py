"""Shapes of a parsed model: open axes get names and sizes, and onnx's inference is run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from bench.onnx_graph.axes import default_sizes, extent
from bench.onnx_graph.operators import MICROSOFT


def open_axes(model: Any) -> dict[str, str]:
    """Return axis of an input without a fixed size -> its name in the file: `batch` -> `batch`; `INPUT:0` -> empty.

    The key of a named axis is its name, of an unnamed one the input and the number of the axis.
    """
    stored = {tensor.name for tensor in model.graph.initializer}
    found: dict[str, str] = {}
    for value in model.graph.input:
        if value.name in stored:
            continue
        for number, dim in enumerate(value.type.tensor_type.shape.dim):
            if dim.dim_param:
                found.setdefault(dim.dim_param, dim.dim_param)
            elif is_open(dim):
                found[f"{value.name}:{number}"] = ""
    return found


def is_open(dim: Any) -> bool:
    """Return whether an axis has no size: none is given, or a negative one, as some exporters write it."""
    return not dim.HasField("dim_value") or dim.dim_value < 0


def sizes_for(model: Any, sizes: Mapping[str, int] | None) -> dict[str, int]:
    """Return open axis -> extent. `sizes`: the user's choice; by default a batch is 1.

    A batch is an axis that is named like one, or the unnamed first of several axes of an input. A named axis may also
    be chosen by input and number. Raises ValueError for one that has a fixed size.
    """
    axes = open_axes(model)
    if sizes is None:
        unnamed = [
            f"{value.name}:0"
            for value in model.graph.input
            if len(value.type.tensor_type.shape.dim) > 1
        ]
        return default_sizes(list(axes)) | {name: 1 for name in unnamed if name in axes}
    found = dict(sizes)
    for value in model.graph.input:
        for number, dim in enumerate(value.type.tensor_type.shape.dim):
            size = sizes.get(f"{value.name}:{number}")
            if size is None:
                continue
            if dim.dim_param:
                found.setdefault(dim.dim_param, size)
            elif not is_open(dim) and dim.dim_value != size:
                raise ValueError(
                    f"--axes {value.name}:{number}={size}: that axis has the size {dim.dim_value};"
                    f" expected one of the open axes ({', '.join(axes) or 'there are none'})"
                )
    return found


def name_open_axes(model: Any) -> None:
    """Name unnamed open axes of inputs by their position, in place; negative sizes are removed."""
    for graph in graphs_in(model.graph):
        for value in (*graph.input, *graph.output, *graph.value_info):
            for dim in value.type.tensor_type.shape.dim:
                if dim.HasField("dim_value") and dim.dim_value < 0:
                    dim.ClearField("dim_value")
    for value in model.graph.input:
        for number, dim in enumerate(value.type.tensor_type.shape.dim):
            if is_open(dim) and not dim.dim_param:
                dim.dim_param = f"{value.name}:{number}"


def with_sizes(model: Any, sizes: Mapping[str, int]) -> Any:
    """Return a copy of the model in which these axes have these sizes, everywhere."""
    import onnx

    sized = onnx.ModelProto()
    sized.CopyFrom(model)
    for graph in graphs_in(sized.graph):
        for value in (*graph.input, *graph.output, *graph.value_info):
            for dim in value.type.tensor_type.shape.dim:
                if dim.dim_param and (size := extent(dim.dim_param, sizes)) is not None:
                    dim.dim_value = size
    return sized


def infer(model: Any) -> Any:
    """Return the model with the shapes of onnx's inference; if inference fails, unchanged."""
    import onnx

    used = {n.op_type for g in graphs_in(model.graph) for n in g.node if n.domain == MICROSOFT}
    try:
        with _rules_for(used):
            return onnx.shape_inference.infer_shapes(model, data_prop=True)
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError):
        return model


def _rules_for(operators: Collection[str]) -> AbstractContextManager[None]:
    if not operators:
        return nullcontext()
    from bench.onnx_graph.microsoft import rules_for

    return rules_for(operators)


def graphs_in(graph: Any) -> Iterator[Any]:
    """Yield a GraphProto and all graphs inside it."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from graphs_in(inner)
