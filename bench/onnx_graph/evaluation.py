"""Evaluation of small tensors as ONNX defines it, and shapes of one node's outputs; for shapes that a graph
computes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, Final

from bench.onnx_graph.values import shape_of

if TYPE_CHECKING:
    from bench.onnx_graph.known import Known
    from bench.onnx_graph.record import Shape

MOST: Final = 4096
"""Maximum number of elements of a computed tensor."""
_RANDOM_NAMES: Final = """
Bernoulli Dropout If Loop Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike
Scan SequenceMap
"""
RANDOM: Final = frozenset(_RANDOM_NAMES.split())
"""Operators whose result is random, or that contain graphs."""


def tensor_value(tensor: Any) -> Any:
    """Return the elements of a TensorProto as a numpy array; None if it has none, or more than MOST."""
    from onnx import numpy_helper

    count = prod(tensor.dims)
    if count > MOST or (count and not _has_content(tensor)):
        return None
    try:
        return numpy_helper.to_array(tensor)
    except (KeyError, TypeError, ValueError):
        return None


def number_in(value: Any) -> int | None:
    """Return the number in an array of one element; None for any other."""
    if value is None or getattr(value, "size", 0) != 1 or value.dtype.kind not in "biu":
        return None
    return int(value.reshape(()))


def evaluated(node: Any, inputs: Sequence[Known | None], opsets: Mapping[str, int]) -> Any:
    """Return the first output of an ai.onnx node as a numpy array; None if an input or the result is unknown."""
    import numpy as np

    if node.domain not in ("", "ai.onnx") or node.op_type in RANDOM:
        return None
    if node.op_type in ("Shape", "Size"):
        return _of_shape(node, inputs[0].shape if inputs and inputs[0] else None)
    feeds = {}
    for name, known in zip(node.input, inputs, strict=True):
        if not name:
            continue
        value = known.value if known is not None else None
        if value is None:
            return None
        feeds[name] = value
    if node.op_type == "ConstantOfShape" and prod(next(iter(feeds.values())).tolist()) > MOST:
        return None
    if node.op_type == "Constant" and (found := _constant(node)) is not None:
        return found
    run = _runner(node, opsets)
    if run is None:
        return None
    try:
        with np.errstate(all="ignore"):
            result = run(feeds)
    except Exception:  # the reference of an operator may raise anything for unsupported inputs
        return None
    return result if isinstance(result, np.ndarray) and result.size <= MOST else None


def inferred_outputs(
    node: Any, inputs: Sequence[Known | None], opsets: Mapping[str, int]
) -> dict[str, tuple[int, Shape | None]]:
    """Return output -> (type, shape) as onnx infers them from the inputs and from the values of the small ones."""
    import onnx

    domain = "" if node.domain == "ai.onnx" else node.domain
    from bench.onnx_graph.microsoft import find_schema  # many rules, for shapes that are open

    schema = find_schema(node.op_type, domain, opsets.get(domain or "ai.onnx", 1))
    if schema is None:
        return {}
    types, data = {}, {}
    for name, known in zip(node.input, inputs, strict=True):
        if not name or known is None:
            continue
        value = known.value
        types[name] = _type(known, value)
        if value is not None and value.dtype.kind in "biuf":
            data[name] = onnx.numpy_helper.from_array(value)
    imports = [onnx.helper.make_opsetid("" if d == "ai.onnx" else d, v) for d, v in opsets.items()]
    try:
        found = onnx.shape_inference.infer_node_outputs(
            schema, node, types, data, opset_imports=imports
        )
    except (
        *(onnx.shape_inference.InferenceError, onnx.checker.ValidationError),
        *(RuntimeError, ValueError, KeyError),
    ):
        return {}
    return {
        name: (t.tensor_type.elem_type, shape_of(t.tensor_type))
        for name, t in found.items()
        if t.HasField("tensor_type")
    }


def _type(known: Known, value: Any) -> Any:
    import onnx

    dtype = known.dtype
    if not dtype and value is not None:
        dtype = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
    found = onnx.TypeProto()
    found.tensor_type.elem_type = dtype or 1
    if known.shape is not None:
        found.tensor_type.shape.SetInParent()
        for extent in known.shape:
            dim = found.tensor_type.shape.dim.add()
            if isinstance(extent, int):
                dim.dim_value = extent
            elif extent != "?":
                dim.dim_param = extent
    return found


def _of_shape(node: Any, shape: Shape | None) -> Any:
    import numpy as np

    if shape is None:
        return None
    ends = {a.name: a.i for a in node.attribute}
    extents = [d for d in shape[slice(ends.get("start", 0), ends.get("end"))] if isinstance(d, int)]
    if len(extents) != len(shape[slice(ends.get("start", 0), ends.get("end"))]):
        return None
    return np.array(prod(extents) if node.op_type == "Size" else extents, np.int64)


def _constant(node: Any) -> Any:
    for attribute in node.attribute:
        if attribute.HasField("t"):
            return tensor_value(attribute.t)
    return None


def _runner(node: Any, opsets: Mapping[str, int]) -> Any:
    """Return a function from inputs by name to the first output; None if onnx's reference has no such operator."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    names = [name for name in node.input if name]
    graph = onnx.helper.make_graph(
        [node],
        "node",
        [onnx.ValueInfoProto(name=name) for name in dict.fromkeys(names)],
        [onnx.ValueInfoProto(name=node.output[0])],
    )
    opset = onnx.helper.make_opsetid("", opsets.get("ai.onnx", 1))
    try:
        evaluator = ReferenceEvaluator(onnx.helper.make_model(graph, opset_imports=[opset]))
    except Exception:  # an operator or a version that the reference does not have
        return None
    return lambda feeds: evaluator.run([node.output[0]], feeds)[0]


def _has_content(tensor: Any) -> bool:
    fields = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data")
    return bool(tensor.raw_data) or any(len(getattr(tensor, name)) for name in fields)
