"""Types, shapes and versions of operators of ONNX graphs as records."""

from __future__ import annotations

from typing import Any

from bench.onnx_graph.record import Shape, Value


def values_of(graph: Any) -> dict[str, Value]:
    """Return name -> value, for everything whose type a GraphProto declares."""
    return {v.name: value_of(v) for v in (*graph.value_info, *graph.input, *graph.output)}


def value_of(value: Any) -> Value:
    """Return a ValueInfoProto as a record."""
    kind = value.type.WhichOneof("value")
    if kind not in ("tensor_type", "sparse_tensor_type"):
        return Value(name=value.name, dtype=(kind or "").removesuffix("_type"))
    tensor = getattr(value.type, kind)
    return Value(name=value.name, dtype=dtype_name(tensor.elem_type), shape=shape_of(tensor))


def shape_of(tensor: Any) -> Shape | None:
    """Return the shape in a TypeProto.Tensor; a negative extent, as some exporters write it, is open."""
    if not tensor.HasField("shape"):
        return None
    return tuple(
        int(d.dim_value) if d.HasField("dim_value") and d.dim_value >= 0 else d.dim_param or "?"
        for d in tensor.shape.dim
    )


def dtype_name(number: int) -> str:
    """Return the name, e.g. `float` or `int8`; `type 99` for a number that this onnx does not know."""
    import onnx

    try:
        return str(onnx.TensorProto.DataType.Name(number)).lower() if number else ""
    except ValueError:
        return f"type {number}"


def opsets_of(model: Any) -> dict[str, int]:
    """Return domain of operators -> version, ONNX's own as `ai.onnx`.

    Protobuf gives a name that is no UTF-8 as bytes.
    """
    found = {}
    for one in model.opset_import:
        domain = (
            one.domain.decode(errors="replace") if isinstance(one.domain, bytes) else one.domain
        )
        found[domain or "ai.onnx"] = int(one.version)
    return found
