"""Reads an ONNX file into a Graph: shapes inferred, multiply-accumulates counted, weights left where they are."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from math import prod
from pathlib import Path
from typing import Any, Final

from bench.graphs.axes import default_sizes, extent
from bench.graphs.external import files_of
from bench.graphs.fault import explained
from bench.graphs.key import keys_of
from bench.graphs.macs import Call, macs_of
from bench.graphs.record import Graph, Node, Shape, Tensor, Value
from bench.graphs.skeleton import DIGEST, Skeleton, skeleton_of
from bench.graphs.stand_ins import put_stand_ins

SHOWN: Final = 8
"""Elements up to which an attribute's list or tensor is told in full; a longer one by its size and digest."""
LONGEST: Final = 200
"""Characters of an attribute's value."""
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
    tensors = {t.name: _tensor(t) for t in model.graph.initializer}
    for sparse in model.graph.sparse_initializer:
        tensors[sparse.values.name] = _sparse(sparse)
    known |= {name: tensor.shape for name, tensor in tensors.items()}
    opsets = {o.domain or "ai.onnx": int(o.version) for o in model.opset_import}
    nodes = tuple(_nodes(model.graph, values, known, opsets))
    constants = {
        node.output[0]: _constant(node)
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
        inputs=tuple(_value(v) for v in model.graph.input if v.name not in tensors),
        outputs=tuple(_value(v) for v in model.graph.output),
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
        except Exception as error:  # onnx's C++ part raises RuntimeError and its own kinds
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
    values = _values(model.graph)
    if has_stand_ins:
        for name, value in _values(_infer(plain).graph).items():
            # Of a stand-in only the shape is true.
            known_dtype = values[name].dtype if name in values else ""
            values[name] = replace(value, dtype=known_dtype)
    shapes = {n: v.shape for n, v in _values(_infer(sized).graph).items() if v.shape is not None}
    return model, values, shapes


def _infer(model: Any) -> Any:
    """Shape inference; a model that it chokes on stays as it is: what is missing shows as `?`."""
    import onnx

    try:
        return onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception:  # C++ errors of several kinds
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
            attributes={name: _plain(a) for name, a in attributes.items()},
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
            attributes=_told(node, attributes, opsets),
            macs=macs_of(operator, call),
        )
        for name in sorted(attributes):
            attribute = attributes[name]
            inner = [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]
            for number, body in enumerate(inner):
                label = f"{own}/{name}{number if len(inner) > 1 else ''}"
                inside = {**values, **_values(body)}, {**known, **_shapes(body)}
                yield from _nodes(body, *inside, opsets, label, outer or own)


def _told(
    node: Any, attributes: Mapping[str, Any], opsets: Mapping[str, int]
) -> tuple[tuple[str, str], ...]:
    """The attributes as text, without those that say what ONNX assumes anyway."""
    domain = node.domain or "ai.onnx"
    assumed = _defaults(node.op_type, domain, opsets.get(domain, 0))
    texts = ((name, _text(attributes[name])) for name in sorted(attributes))
    return tuple((name, text) for name, text in texts if assumed.get(name) != text)


@cache
def _defaults(operator: str, domain: str, version: int) -> dict[str, str]:
    """Attribute -> its default as text; empty for an operator that onnx does not know."""
    import onnx

    try:
        schema = onnx.defs.get_schema(operator, version, "" if domain == "ai.onnx" else domain)
    except onnx.defs.SchemaError:
        return {}
    return {
        name: _text(attribute.default_value)
        for name, attribute in schema.attributes.items()
        if attribute.default_value.name
    }


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
            modules = (
                [s for s in scopes[:-1] if isinstance(s, str)] if isinstance(scopes, list) else []
            )
            return modules[-1] if modules else ""
    folder = str(node.name).strip("/").rpartition("/")[0]
    return folder.replace("/", ".")


def _values(graph: Any) -> dict[str, Value]:
    return {v.name: _value(v) for v in (*graph.value_info, *graph.input, *graph.output)}


def _shapes(graph: Any) -> dict[str, Shape]:
    found = {name: v.shape for name, v in _values(graph).items() if v.shape is not None}
    return found | {t.name: tuple(t.dims) for t in graph.initializer}


def _value(value: Any) -> Value:
    kind = value.type.WhichOneof("value")
    if kind not in ("tensor_type", "sparse_tensor_type"):
        return Value(name=value.name, dtype=(kind or "").removesuffix("_type"))
    tensor = getattr(value.type, kind)
    shape = None
    if tensor.HasField("shape"):
        shape = tuple(
            int(d.dim_value) if d.HasField("dim_value") else d.dim_param or "?"
            for d in tensor.shape.dim
        )
    return Value(name=value.name, dtype=dtype_name(tensor.elem_type), shape=shape)


def dtype_name(number: int) -> str:
    """`float`, `int8` ...; `type 99` for a number that this onnx does not know."""
    import onnx

    try:
        return str(onnx.TensorProto.DataType.Name(number)).lower() if number else ""
    except ValueError:
        return f"type {number}"


def _tensor(tensor: Any, name: str = "", *, is_initializer: bool = True) -> Tensor:
    shape = tuple(int(d) for d in tensor.dims)
    return Tensor(
        name=name or tensor.name,
        dtype=dtype_name(tensor.data_type),
        shape=shape,
        num_bytes=_num_bytes(tensor.data_type, prod(shape)),
        is_initializer=is_initializer,
    )


def _sparse(tensor: Any) -> Tensor:
    parts = [_tensor(part) for part in (tensor.values, tensor.indices)]
    return Tensor(
        name=tensor.values.name,
        dtype=parts[0].dtype,
        shape=tuple(int(d) for d in tensor.dims),
        num_bytes=sum(part.num_bytes for part in parts),
    )


def _constant(node: Any) -> Tensor | None:
    for attribute in node.attribute:
        if attribute.HasField("t"):
            return _tensor(attribute.t, node.output[0], is_initializer=False)
    return None


def _num_bytes(dtype: int, num_elements: int) -> int:
    """Bytes of that many elements; half a byte each for the types of four bits."""
    import onnx

    name = dtype_name(dtype)
    bits = {"int4": 4, "uint4": 4, "float4e2m1": 4, "int2": 2, "uint2": 2}.get(name)
    if bits:
        return (num_elements * bits + 7) // 8
    try:
        return num_elements * int(onnx.helper.tensor_dtype_to_np_dtype(dtype).itemsize)
    except (KeyError, ValueError, TypeError):
        return 0


def _plain(attribute: Any) -> Any:
    """The attribute's value where it is a number, a text or a list of numbers."""
    import onnx

    kind = onnx.AttributeProto
    match attribute.type:
        case kind.INT:
            return int(attribute.i)
        case kind.FLOAT:
            return float(attribute.f)
        case kind.STRING:
            return attribute.s.decode("utf-8", "replace")
        case kind.INTS:
            return list(attribute.ints)
        case kind.FLOATS:
            return list(attribute.floats)
        case kind.STRINGS:
            return [s.decode("utf-8", "replace") for s in attribute.strings]
    return None


def _text(attribute: Any) -> str:
    """The value as text: equal texts mean equal values."""
    value = _plain(attribute)
    if isinstance(value, float):
        return f"{value:.9g}"
    if isinstance(value, list):
        text = ", ".join(f"{v:.9g}" if isinstance(v, float) else str(v) for v in value)
        return _shortened(f"[{text}]")
    if value is not None:
        return _shortened(str(value))
    if attribute.HasField("t"):
        return _tensor_text(attribute.t)
    if attribute.HasField("g"):
        return f"graph of {len(attribute.g.node)} nodes"
    content = attribute.SerializeToString(deterministic=True)
    return f"{len(content)} bytes, {_digest(content)}"


def _tensor_text(tensor: Any) -> str:
    import onnx

    head = f"{dtype_name(tensor.data_type)}[{'×'.join(str(d) for d in tensor.dims)}]"
    if tensor.doc_string.startswith(DIGEST):
        return f"{head} {tensor.doc_string[: len(DIGEST) + 12]}"
    try:
        array = onnx.numpy_helper.to_array(tensor)
    except Exception:  # an unknown type, or too few bytes
        return f"{head} {_digest(tensor.SerializeToString(deterministic=True))}"
    if array.size <= SHOWN:
        return _shortened(f"{head} {array.tolist()}")
    return f"{head} {_digest(array.tobytes())}"


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… {_digest(text.encode())}"


def _digest(content: bytes) -> str:
    import hashlib

    return f"{DIGEST}{hashlib.sha256(content).hexdigest()[:12]}"
