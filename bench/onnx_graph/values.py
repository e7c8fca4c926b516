"""Values and tensors of ONNX as records."""

from __future__ import annotations

from math import prod
from typing import Any

from bench.onnx_graph.record import Shape, Tensor, Value


def values_of(graph: Any) -> dict[str, Value]:
    """Name -> value, of everything that a GraphProto says the type of."""
    return {v.name: value_of(v) for v in (*graph.value_info, *graph.input, *graph.output)}


def shapes_of(graph: Any) -> dict[str, Shape]:
    """Name -> shape, of values and initializers."""
    found = {name: v.shape for name, v in values_of(graph).items() if v.shape is not None}
    return found | {t.name: tuple(t.dims) for t in graph.initializer}


def value_of(value: Any) -> Value:
    """A ValueInfoProto as a record."""
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


def tensor_of(tensor: Any, name: str = "", *, is_initializer: bool = True) -> Tensor:
    """A TensorProto as a record, under another name where one is given."""
    shape = tuple(int(d) for d in tensor.dims)
    return Tensor(
        name=name or tensor.name,
        dtype=dtype_name(tensor.data_type),
        shape=shape,
        num_bytes=_num_bytes(tensor.data_type, prod(shape)),
        is_initializer=is_initializer,
    )


def sparse_of(tensor: Any) -> Tensor:
    """A SparseTensorProto as a record."""
    parts = [tensor_of(part) for part in (tensor.values, tensor.indices)]
    return Tensor(
        name=tensor.values.name,
        dtype=parts[0].dtype,
        shape=tuple(int(d) for d in tensor.dims),
        num_bytes=sum(part.num_bytes for part in parts),
    )


def constant_of(node: Any) -> Tensor | None:
    """The tensor of a Constant node, or None where it holds something else."""
    for attribute in node.attribute:
        if attribute.HasField("t"):
            return tensor_of(attribute.t, node.output[0], is_initializer=False)
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
