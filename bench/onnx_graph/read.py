"""Reads an ONNX file into a Graph: shapes inferred, multiply-accumulates counted, weights left where they are."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from bench.onnx_graph.attributes import plain, told
from bench.onnx_graph.axes import default_sizes, extent
from bench.onnx_graph.errors import explained
from bench.onnx_graph.external import files_of
from bench.onnx_graph.keys import keys_of
from bench.onnx_graph.macs import Call, macs_of
from bench.onnx_graph.record import Graph, Node, Shape, Value
from bench.onnx_graph.skeleton import Skeleton, skeleton_of
from bench.onnx_graph.stand_ins import put_stand_ins
from bench.onnx_graph.values import (
    constant_of,
    shapes_of,
    sparse_of,
    tensor_of,
    value_of,
    values_of,
)

SCOPES: Final = "pkg.torch.onnx.name_scopes"
"""Where torch.onnx writes the path of modules that a node comes from."""
NO_MODULE: Final = "_empty_nn_module_stack"
"""What torch.export writes for what is in no module."""


def read(
    path: Path,
    *,
    sizes: Mapping[str, int] | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
) -> Graph:
    """The graph in the file. Raises GraphError, naming the file, when it cannot be read.

    `sizes`: name of an open axis -> extent (default: 1 for a batch). `shapes`: value -> its shape
    as seen in a run, for what depends on data. Both are for the count of multiply-accumulates.
    """
    skeleton = skeleton_of(path)
    model = parsed(path, skeleton)
    names = _open_axes(model)
    model, values, known = _inferred(model, default_sizes(names) if sizes is None else sizes)
    known |= {name: tuple(shape) for name, shape in (shapes or {}).items()}
    tensors = {t.name: tensor_of(t) for t in model.graph.initializer}
    for sparse in model.graph.sparse_initializer:
        tensors[sparse.values.name] = sparse_of(sparse)
    known |= {name: tensor.shape for name, tensor in tensors.items()}
    opsets = {o.domain or "ai.onnx": int(o.version) for o in model.opset_import}
    nodes = tuple(_nodes(model.graph, values, known, opsets))
    constants = {
        node.output[0]: constant_of(node)
        for node in model.graph.node
        if node.op_type == "Constant" and node.output and node.output[0] in skeleton.places
    }
    return Graph(
        path=str(path),
        name=model.graph.name,
        num_bytes=sum(file.stat().st_size for file in files_of(path) if file.is_file()),
        ir_version=int(model.ir_version),
        opsets=tuple(sorted(opsets.items())),
        producer=f"{model.producer_name} {model.producer_version}".strip(),
        inputs=tuple(value_of(v) for v in model.graph.input if v.name not in tensors),
        outputs=tuple(value_of(v) for v in model.graph.output),
        nodes=nodes,
        tensors=(*tensors.values(), *(t for t in constants.values() if t is not None)),
        open_axes=tuple(names),
        metadata=tuple(sorted((p.key, p.value) for p in model.metadata_props)),
    )


def parsed(path: Path, skeleton: Skeleton) -> Any:
    """The skeleton as a ModelProto, functions of the file put in the place of their calls."""
    import onnx
    import onnx.inliner
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(skeleton.data)
    except (DecodeError, UnicodeDecodeError) as error:
        raise explained(path, f"it cannot be parsed ({error})") from error
    if skeleton.has_functions:
        try:
            model = onnx.inliner.inline_local_functions(model)
        except (onnx.checker.ValidationError, RuntimeError, ValueError) as error:
            raise explained(path, f"its functions cannot be put in place ({error})") from error
    return model


def _open_axes(model: Any) -> list[str]:
    return list(
        dict.fromkeys(
            dim.dim_param
            for value in model.graph.input
            for dim in value.type.tensor_type.shape.dim
            if dim.dim_param
        )
    )


def _inferred(
    model: Any, sizes: Mapping[str, int]
) -> tuple[Any, dict[str, Value], dict[str, Shape]]:
    """The model with what inference adds; its values; value -> shape where open axes have the given sizes."""
    import onnx

    plain, sized = onnx.ModelProto(), onnx.ModelProto()
    plain.CopyFrom(model)
    has_stand_ins = put_stand_ins(plain.graph)
    sized.CopyFrom(plain)
    graph = sized.graph
    for value in (*graph.input, *graph.output, *graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param and (size := extent(dim.dim_param, sizes)) is not None:
                dim.dim_value = size
    model = _infer(model)
    values = values_of(model.graph)
    if has_stand_ins:
        for name, value in values_of(_infer(plain).graph).items():
            # Of a stand-in only the shape is true.
            known_dtype = values[name].dtype if name in values else ""
            values[name] = replace(value, dtype=known_dtype)
    shapes = {n: v.shape for n, v in values_of(_infer(sized).graph).items() if v.shape is not None}
    return model, values, shapes


def _infer(model: Any) -> Any:
    """Shape inference; a model that it chokes on stays as it is: what is missing shows as `?`."""
    import onnx

    try:
        return onnx.shape_inference.infer_shapes(model, data_prop=True)
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError):
        return model


def _nodes(
    graph: Any,
    values: Mapping[str, Value],
    known: Mapping[str, Shape],
    opsets: Mapping[str, int],
    place: str = "",
    outer: str = "",
) -> Iterator[Node]:
    """The nodes of the graph and, after each, those of the graphs inside it."""
    keys = keys_of((n.name, n.op_type) for n in graph.node)
    for key, node in zip(keys, graph.node, strict=True):
        own = f"{place}/{key}" if place else key
        operator = operator_of(node)
        attributes = {a.name: a for a in node.attribute}
        call = Call(
            attributes={name: plain(a) for name, a in attributes.items()},
            inputs=[known.get(name) for name in node.input],
            outputs=[known.get(name) for name in node.output],
        )
        yield Node(
            key=own,
            operator=operator,
            outer=outer,
            scope=scope_of(node),
            inputs=tuple(node.input),
            outputs=tuple(values.get(name, Value(name=name)) for name in node.output),
            attributes=told(node, attributes, opsets),
            macs=macs_of(operator, call),
        )
        for name in sorted(attributes):
            attribute = attributes[name]
            inner = [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]
            for number, body in enumerate(inner):
                label = f"{own}/{name}{number if len(inner) > 1 else ''}"
                inside = {**values, **values_of(body)}, {**known, **shapes_of(body)}
                yield from _nodes(body, *inside, opsets, label, outer or own)


def operator_of(node: Any) -> str:
    """The operator with its domain, where that is not ONNX's own."""
    return node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}::{node.op_type}"


def scope_of(node: Any) -> str:
    """The module that the exporter says the node comes from, or the folder of its name."""
    for prop in node.metadata_props:
        if prop.key == SCOPES:
            try:
                scopes = ast.literal_eval(prop.value)
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                continue
            # The last is the node's own; some nodes that passes made repeat their module's.
            modules = scopes[:-1] if isinstance(scopes, list) else []
            last = modules[-1] if modules and isinstance(modules[-1], str) else ""
            return "" if last.startswith(NO_MODULE) else last
    folder = str(node.name).strip("/").rpartition("/")[0]
    return folder.replace("/", ".")
