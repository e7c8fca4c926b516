"""Shape inference of ONNX Runtime's own operators: rules for onnx's inference, which knows none of them.

They are registered in the domain com.microsoft while a model is analysed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, Final

from bench.onnx_graph.operators import MICROSOFT

FLOAT: Final = 1
INT32: Final = 6
INT64: Final = 7
BOOL: Final = 9

LIKE: Final[dict[str, int]] = {
    **dict.fromkeys(("BiasAdd", "BiasDropout", "BiasGelu", "BiasSoftmax", "BitmaskDropout"), 0),
    **dict.fromkeys(("FastGelu", "Gelu", "QuickGelu", "ScaledSiLU", "QOrderedGelu"), 0),
    **dict.fromkeys(("ComplexMul", "ComplexMulConj", "GroupNorm", "SkipGroupNorm"), 0),
    **dict.fromkeys(("RotaryEmbedding", "GemmaRotaryEmbedding", "QOrderedLayerNormalization"), 0),
    **dict.fromkeys(("QLinearSigmoid", "QLinearLeakyRelu", "QLinearSoftmax", "Inverse"), 0),
    **dict.fromkeys(("MoE", "QMoE", "LongformerAttention", "Trilu"), 0),
}
"""Operator -> the input whose type and shape its first output has."""

STAND_INS: Final[dict[str, tuple[str, tuple[int, ...] | slice, int]]] = {
    "QLinearConcat": ("Concat", slice(2, None, 3), 2),
    "QLinearAdd": ("Add", (0, 3), 0),
    "QLinearMul": ("Mul", (0, 3), 0),
    "QLinearAveragePool": ("AveragePool", (0,), 0),
    "QLinearGlobalAveragePool": ("GlobalAveragePool", (0,), 0),
    "QLinearReduceMean": ("ReduceMean", (0,), 0),
    "QLinearWhere": ("Where", (0, 1, 4), 1),
    "QLinearConv": ("Conv", (0, 3), 0),
    "QGemm": ("Gemm", (0, 3), 0),
    "FusedConv": ("Conv", (0, 1, 2), 0),
    "FusedGemm": ("Gemm", (0, 1, 2), 0),
    "GemmFastGelu": ("MatMul", (0, 1), 0),
    "MatMulInteger16": ("MatMul", (0, 1), -INT32),
    "DynamicQuantizeMatMul": ("MatMul", (0, 1), 0),
    "MatMulIntegerToFloat": ("MatMul", (0, 1), 2),
    "DynamicQuantizeLSTM": ("LSTM", (0, 1, 2), 0),
    "QuantizeLinear": ("Identity", (0,), 2),
    "DequantizeLinear": ("Identity", (0,), 1),
    "ConvTransposeWithDynamicPads": ("ConvTranspose", (0, 1), 0),
    "GatherND": ("GatherND", (0, 1), 0),
    "ExpandDims": ("Unsqueeze", (0, 1), 0),
}
"""Operator -> an ONNX operator whose result has the same shape, the inputs that it takes, and the input whose type the
result has (negative: that type itself).
"""

WHOLE_NUMBERS: Final = {("Where", 0): BOOL, ("GatherND", 1): INT64, ("Unsqueeze", 1): INT64}
"""(stand-in, input) -> its type if it is not that of the data."""

Dims = list[Any]
"""TensorShapeProto.Dimension of each axis."""


class Unknown(Exception):
    """Raised by a rule that cannot determine the shape."""


class _Node:
    """Node as seen by a rule: its inputs, and methods to set its outputs."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def type(self, at: int) -> Any:
        """Return the TypeProto of an input; raise Unknown."""
        if at >= self._context.get_num_inputs() or not self._context.has_input(at):
            raise Unknown
        found = self._context.get_input_type(at)
        if found is None or not found.HasField("tensor_type"):
            raise Unknown
        return found

    def has(self, at: int) -> bool:
        return bool(at < self._context.get_num_inputs() and self._context.has_input(at))

    def dims(self, at: int, *, rank: int | None = None) -> Dims:
        """Return the axes of an input; raise Unknown if their number is unknown or not `rank`."""
        tensor = self.type(at).tensor_type
        if not tensor.HasField("shape") or (rank is not None and len(tensor.shape.dim) != rank):
            raise Unknown
        return list(tensor.shape.dim)

    def elem(self, at: int) -> int:
        return int(self.type(at).tensor_type.elem_type)

    def number(self, name: str, default: int = 0) -> int:
        found = self._context.get_attribute(name)
        return default if found is None else int(found.i)

    def numbers(self, name: str) -> list[int]:
        found = self._context.get_attribute(name)
        return [] if found is None else list(found.ints)

    def give(self, at: int, elem: int, dims: Sequence[Any]) -> None:
        """Set an output's type and axes, each an extent, a Dimension, or None for an open one."""
        import onnx

        if at >= self._context.get_num_outputs():
            return
        found = onnx.TypeProto()
        found.tensor_type.elem_type = elem
        found.tensor_type.shape.SetInParent()
        for dim in dims:
            new = found.tensor_type.shape.dim.add()
            if isinstance(dim, int):
                new.dim_value = dim
            elif dim is not None:
                new.CopyFrom(dim)
        self._context.set_output_type(at, found)


def _like(source: int, node: _Node) -> None:
    node.give(0, node.elem(source), node.dims(source))


def _skip_layer_normalization(node: _Node) -> None:
    for at in (0, 3):
        node.give(at, node.elem(0), node.dims(0))


def _matmul(node: _Node, *, columns: int | None = None) -> None:
    """Set the input's shape with the attribute N as last axis."""
    size = node.number("N") if columns is None else columns
    node.give(0, node.elem(0), [*node.dims(0)[:-1], size])


def _fused_matmul(node: _Node) -> None:
    """Set the shape of a matrix product with transposed operands, including batch axes."""
    left = _transposed(node.dims(0), node.number("transA"), node.number("transBatchA"))
    right = _transposed(node.dims(1), node.number("transB"), node.number("transBatchB"))
    if len(left) < 2 or len(right) < 2:
        raise Unknown
    batch = _broadcast(left[:-2], right[:-2])
    node.give(0, node.elem(0), [*batch, left[-2], right[-1]])


def _transposed(dims: Dims, is_swapped: int, is_batch_moved: int) -> Dims:
    if is_batch_moved and len(dims) > 2:
        dims = [*dims[1:-1], dims[0], dims[-1]]
    return [*dims[:-2], dims[-1], dims[-2]] if is_swapped and len(dims) > 1 else dims


def _broadcast(left: Dims, right: Dims) -> list[Any]:
    longer, shorter = (left, right) if len(left) >= len(right) else (right, left)
    start = len(longer) - len(shorter)
    found: list[Any] = list(longer[:start])
    for a, b in zip(longer[start:], shorter, strict=True):
        if _extent(a) == 1:
            found.append(b)
        elif _extent(b) in (1, None) or a == b:
            found.append(a if _extent(b) is not None or a == b else None)
        else:
            found.append(a)
    return found


def _gather_block_quantized(node: _Node) -> None:
    data, indices = node.dims(0), node.dims(1)
    axis = node.number("gather_axis")
    if node.elem(0) == 2:  # uint8: several numbers share a byte along the last axis
        last = _extent(data[-1])
        data[-1] = None if last is None else last * (8 // node.number("bits", 4))
    axis += len(data) if axis < 0 else 0
    node.give(0, node.elem(2), [*data[:axis], *indices, *data[axis + 1 :]])


def _embed_layer_normalization(node: _Node) -> None:
    ids, words = node.dims(0, rank=2), node.dims(2, rank=2)
    elem = node.elem(2) if node.elem(2) != 2 else FLOAT
    node.give(0, elem, [*ids, words[1]])
    node.give(1, INT32, ids[:1])
    node.give(2, elem, [*ids, words[1]])


def _multi_head_attention(node: _Node, *, past: int) -> None:
    query = node.dims(0)
    heads = node.number("num_heads")
    length: Any
    if len(query) == 5:
        hidden = _product(query[2], query[4])
        width, length = query[4], query[1]
    else:
        key = node.dims(1)
        value = node.dims(2) if node.has(2) else key
        length = key[1] if len(key) in (3, 5) else key[2]
        hidden = (
            value[2] if len(value) == 3 else _product(value[-1], value[1 if len(value) == 4 else 2])
        )
        width = _divided(hidden, heads)
    node.give(0, node.elem(0), [query[0], query[1], hidden])
    if node.has(past):
        length = _sum(length, node.dims(past, rank=4)[2])
    key_width = query[4] if len(query) == 5 else _divided(query[2], heads)
    node.give(1, node.elem(0), [query[0], heads, length, key_width])
    node.give(2, node.elem(0), [query[0], heads, length, width])


def _packed_attention(node: _Node, *, past: int, elem: int) -> None:
    x, weight = node.dims(0, rank=3), node.dims(1, rank=2)
    sizes = node.numbers("qkv_hidden_sizes")
    hidden: Any = sizes[2] if len(sizes) == 3 else _divided(weight[1], 3)
    heads = node.number("num_heads")
    node.give(0, node.elem(elem), [x[0], x[1], hidden])
    length: Any = x[1]
    if node.has(past):
        before = node.dims(past, rank=5)[3]
        length = before if node.number("past_present_share_buffer") else _sum(length, before)
    node.give(1, node.elem(elem), [2, x[0], heads, length, _divided(hidden, heads)])


def _grouped_query_attention(node: _Node) -> None:
    query = node.dims(0, rank=3)
    heads, groups = node.number("num_heads"), node.number("kv_num_heads")
    if not heads or not groups:
        raise Unknown
    hidden: Any = query[2]
    if not node.has(1):
        hidden = _product(_divided(query[2], heads + 2 * groups), heads)
    node.give(0, node.elem(0), [query[0], query[1], hidden])
    if not node.has(3):
        length: Any = node.dims(1, rank=3)[1] if node.has(1) else query[1]
        shape = [query[0], groups, length, _divided(hidden, heads)]
    else:
        # A past in a buffer is also the present; otherwise the new keys are appended.
        past = node.dims(3, rank=4)
        added = node.dims(1, rank=3)[1] if node.has(1) else query[1]
        shape = [past[0], past[1], _sum(past[2], added), past[3]]
    for at in (1, 2):
        node.give(at, node.elem(3) if node.has(3) else node.elem(0), shape)


def _causal_convolution(node: _Node) -> None:
    x, weight = node.dims(0, rank=3), node.dims(1)
    if node.number("channels_last") or node.number("input_channels") or node.number("ndim", 1) != 1:
        raise Unknown
    node.give(0, node.elem(0), x)
    kernel = _extent(weight[-1])
    if kernel is not None and not node.number("state_length"):
        node.give(1, node.elem(0), [x[0], x[1], kernel - 1])


def _linear_attention(node: _Node) -> None:
    query, key, value = (node.dims(n, rank=3) for n in range(3))
    heads, groups = node.number("q_num_heads"), node.number("kv_num_heads")
    if not heads or not groups:
        raise Unknown
    width, depth = _divided(value[2], groups), _divided(key[2], groups)
    node.give(0, node.elem(0), [query[0], query[1], _product(width, heads)])
    node.give(1, node.elem(0), [query[0], groups, depth, width])


def _half(node: _Node) -> None:
    dims = node.dims(0)
    node.give(0, node.elem(0), [*dims[:-1], _divided(dims[-1], 2)])


def _distances(node: _Node) -> None:
    node.give(0, node.elem(0), [node.dims(0, rank=2)[0], node.dims(1, rank=2)[0]])


def _stand_in(operator: str, context: Any) -> None:
    """Set the shape that another operator would give."""
    import onnx

    name, places, source = STAND_INS[operator]
    node = _Node(context)
    count = context.get_num_inputs()
    taken = list(range(count))[places] if isinstance(places, slice) else list(places)
    taken = [at for at in taken if node.has(at)]
    schema = onnx.defs.get_schema(name, _stand_in_version(name))
    known = {
        key: found for key in schema.attributes if (found := context.get_attribute(key)) is not None
    }
    inner = onnx.NodeProto(op_type=name, input=[f"i{at}" for at in taken], output=["o0"])
    inner.attribute.extend(known.values())
    types = {f"i{at}": node.type(at) for at in taken}
    for at in taken:
        types[f"i{at}"].tensor_type.elem_type = WHOLE_NUMBERS.get((name, at), FLOAT)
    axes = context.get_input_data(1) if name == "Unsqueeze" else None
    data = {"i1": axes} if axes is not None else {}
    opsets = [onnx.helper.make_opsetid("", _stand_in_version(name))]
    try:
        found = onnx.shape_inference.infer_node_outputs(
            schema, inner, types, data, opset_imports=opsets
        )
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError, RuntimeError):
        return
    if "o0" in found and found["o0"].tensor_type.HasField("shape"):
        elem = -source if source < 0 else node.elem(source)
        node.give(0, elem, list(found["o0"].tensor_type.shape.dim))


def _stand_in_version(name: str) -> int:
    """Return the opset before axes became inputs: the quantized operators have them as attributes."""
    return 13 if name == "ReduceMean" else 17


RULES: Final[dict[str, Callable[[_Node], None]]] = {
    **{name: partial(_like, source) for name, source in LIKE.items()},
    **dict.fromkeys(("SkipLayerNormalization", "SkipSimplifiedLayerNormalization"), _skip_layer_normalization),
    **dict.fromkeys(("FusedMatMul", "TransposeMatMul", "FusedMatMulActivation", "GemmFloat8"), _fused_matmul),
    **dict.fromkeys(("MatMulNBits", "MatMulBnb4"), _matmul),
    **dict.fromkeys(("EmbedLayerNormalization", "QEmbedLayerNormalization"), _embed_layer_normalization),
    "GatherBlockQuantized": _gather_block_quantized,
    "MultiHeadAttention": partial(_multi_head_attention, past=6),
    "DecoderMaskedMultiHeadAttention": partial(_multi_head_attention, past=5),
    "Attention": partial(_packed_attention, past=4, elem=0),
    "DecoderMaskedSelfAttention": partial(_packed_attention, past=4, elem=0),
    "QAttention": partial(_packed_attention, past=8, elem=3),
    "GroupQueryAttention": _grouped_query_attention,
    "SparseAttention": _grouped_query_attention,
    "CausalConvWithState": _causal_convolution,
    "LinearAttention": _linear_attention,
    "BiasSplitGelu": _half,
    "CDist": _distances,
}  # fmt: skip
"""Operator -> the function that sets the shapes of its outputs."""


def find_schema(operator: str, domain: str, version: int) -> Any:
    """Return the OpSchema of an operator of ONNX or of one with a rule here; None if there is neither."""
    import onnx

    if domain == MICROSOFT and (operator in RULES or operator in STAND_INS):
        return _schema(operator)
    try:
        return onnx.defs.get_schema(operator, version, domain)
    except onnx.defs.SchemaError:
        return None


@contextmanager
def rules_for(operators: Iterable[str]) -> Iterator[None]:
    """Within the context, make onnx's inference use the rules for these operators of com.microsoft.

    Not permanently: other parts of onnx expect an operator's name in one domain alone.
    """
    import onnx

    names = [name for name in set(operators) if name in RULES or name in STAND_INS]
    added = [name for name in names if not onnx.defs.has(name, MICROSOFT)]
    for name in added:
        onnx.defs.register_schema(_schema(name))
    try:
        yield
    finally:
        for name in added:
            onnx.defs.deregister_schema(name, 1, MICROSOFT)


@cache
def _schema(name: str) -> Any:
    import onnx

    schema_type = onnx.defs.OpSchema
    kinds = sorted(_all_types())
    any_number = {
        "type_str": "T",
        "param_option": schema_type.FormalParameterOption.Variadic,
        "is_homogeneous": False,
        "min_arity": 0,
    }
    schema = schema_type(
        name,
        MICROSOFT,
        1,
        inputs=[schema_type.FormalParameter("inputs", **any_number)],
        outputs=[schema_type.FormalParameter("outputs", **any_number)],
        type_constraints=[("T", kinds, "")],
    )
    schema.set_type_and_shape_inference_function(partial(_infer, name))
    return schema


def _all_types() -> set[str]:
    """Return the names of all tensor types in schemas."""
    import onnx

    names = set(onnx.TensorProto.DataType.keys()) - {"UNDEFINED"}
    return {f"tensor({name.lower()})" for name in names}


def _infer(name: str, context: Any) -> None:
    try:
        if name in RULES:
            RULES[name](_Node(context))
        else:
            _stand_in(name, context)
    except Unknown:
        return


def _extent(dim: Any) -> int | None:
    if dim is None or isinstance(dim, int):
        return dim
    return int(dim.dim_value) if dim.HasField("dim_value") else None


def _arithmetic(left: Any, right: Any, operation: Callable[[int, int], int]) -> int | None:
    a, b = _extent(left), _extent(right)
    return None if a is None or b is None else operation(a, b)


def _sum(left: Any, right: Any) -> int | None:
    return _arithmetic(left, right, int.__add__)


def _product(left: Any, right: Any) -> int | None:
    return _arithmetic(left, right, int.__mul__)


def _divided(dim: Any, by: int) -> int | None:
    return None if not by else _arithmetic(dim, by, int.__floordiv__)
