"""Counts the products of a graph in a run: the judge of `bench.onnx_graph.count`.

Two ways, neither of which looks at what inference says. `by_reference` runs onnx's reference evaluator and looks at the
arrays of every operator that it executes, in loops, branches and functions too. `by_runtime` makes every value of the
main graph an output of ONNX Runtime; for its own operators, and for files too large for the reference.
"""

from __future__ import annotations

from contextlib import contextmanager
from math import prod

import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator, op_run


def by_reference(model, feeds):
    """Multiply-accumulates of one run, every executed operator counted from its arrays."""
    total = 0

    def see(node, inputs, outputs):
        nonlocal total
        total += products_of(node, inputs, outputs)

    evaluator = ReferenceEvaluator(_started(model))  # before watching: it imports its operators
    with _watched(see):
        evaluator.run(None, dict(feeds))
    return total


def _started(model):
    """The model with a condition for loops that begin without one, which the reference takes for false."""
    if not any(node.op_type == "Loop" and not node.input[1] for node in model.graph.node):
        return model
    started = onnx.ModelProto()
    started.CopyFrom(model)
    started.graph.initializer.append(onnx.numpy_helper.from_array(np.array(True), "starts"))
    for node in started.graph.node:
        if node.op_type == "Loop" and not node.input[1]:
            node.input[1] = "starts"
    return started


def by_runtime(model, feeds):
    """The same by ONNX Runtime; for graphs without loops and branches."""
    names = [name for node in model.graph.node for name in node.output if name]
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    del exposed.graph.output[:]
    exposed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(names))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        exposed.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    wanted = [output.name for output in session.get_outputs()]
    values = dict(feeds) | dict(zip(wanted, session.run(wanted, dict(feeds)), strict=True))
    values |= {t.name: _Shaped(tuple(t.dims)) for t in model.graph.initializer}
    small = {
        t.name: onnx.numpy_helper.to_array(t)
        for t in model.graph.initializer
        if prod(t.dims) <= 16 and not t.external_data
    }
    values |= small
    total = 0
    for node in model.graph.node:
        inputs = [values.get(name) for name in node.input]
        total += products_of(node, inputs, [values.get(name) for name in node.output])
    return total


class _Shaped:
    """Stands for the weights of a file: only the shape is asked for."""

    def __init__(self, shape):
        self.shape = shape


@contextmanager
def _watched(see):
    """Tell `see` of every operator that the reference evaluator executes."""
    active = set()

    def watching(original):
        def run(self, *inputs, **rest):
            if id(self) in active:  # a class calls the one that it is made of
                return original(self, *inputs, **rest)
            active.add(id(self))
            try:
                outputs = original(self, *inputs, **rest)
            finally:
                active.discard(id(self))
            see(self.onnx_node, inputs, outputs)
            return outputs

        return run

    replaced = [(kind, kind.run) for kind in _kinds(op_run.OpRun) if "run" in vars(kind)]
    for kind, original in replaced:
        kind.run = watching(original)
    try:
        yield
    finally:
        for kind, original in replaced:
            kind.run = original


def _kinds(kind):
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)


def products_of(node, inputs, outputs):
    """Multiply-accumulates of one executed node, from its arrays."""
    shapes = [getattr(array, "shape", None) for array in inputs]
    results = [getattr(array, "shape", None) for array in outputs]
    options = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    rule = RULES.get((node.domain if node.domain != "ai.onnx" else "", node.op_type))
    return rule(shapes, results, options, inputs) if rule else 0


def _convolution(weight):
    """Each output element meets its group's channels, once for every element of the kernel."""

    def rule(shapes, results, options, _):
        channels, *kernel = shapes[weight][1:]
        return prod(results[0]) * channels * prod(kernel)

    return rule


def _transposed(shapes, results, options, _):
    batch, channels, *size = shapes[0]
    return batch * channels * prod(size) * prod(shapes[1][1:])


def _product(left, right):
    def rule(shapes, results, options, _):
        a, b = list(shapes[left]), list(shapes[right])
        if options.get("transA"):
            a[-2:] = a[-1], a[-2]
        if options.get("transB"):
            b[-2:] = b[-1], b[-2]
        depth = a[-1]
        assert depth == (b[-2] if len(b) > 1 else b[-1])
        batch = np.broadcast_shapes(tuple(a[:-2]), tuple(b[:-2]))
        rows = a[-2] if len(a) > 1 else 1
        columns = b[-1] if len(b) > 1 else 1
        return prod(batch) * rows * columns * depth

    return rule


def _recurrent(gates, *, is_transposed=False):
    """`is_transposed`: the weights are, so that their last axis is the gates'."""

    def rule(shapes, results, options, _):
        first, second, width = shapes[0]
        directions = shapes[2][0]
        size = options["hidden_size"] if is_transposed else shapes[2][2]
        return first * second * directions * gates * size * (width + size)

    return rule


def _einsum(shapes, results, options, inputs):
    """The sizes of the loops that a plain program would have."""
    equation = options["equation"].decode().replace(" ", "")
    terms = equation.partition("->")[0].split(",")
    sizes = {}
    for term, shape in zip(terms, shapes, strict=True):
        letters = term.replace("...", "")
        hidden = len(shape) - len(letters)
        at = term.find("...")
        names = list(letters) if at < 0 else [*term[:at], *range(-hidden, 0), *term[at + 3 :]]
        for name, size in zip(names, shape, strict=True):
            sizes[name] = max(size, sizes.get(name, 1))
    if len(terms) < 2 or prod(sizes.values()) == prod(results[0]):
        return 0
    return prod(sizes.values()) * (len(terms) - 1)


def _attention(shapes, results, options, inputs):
    query, key, value = shapes[:3]
    if len(query) == 4:
        batch, heads, length, width = query
        keys, value_width = key[2], value[3]
    else:
        heads = options["q_num_heads"]
        batch, length, width = query[0], query[1], query[2] // heads
        keys, value_width = key[1], value[2] // options["kv_num_heads"]
    if len(shapes) > 4 and shapes[4]:
        keys += shapes[4][2]
    return batch * heads * length * keys * (width + value_width)


def _multi_head_attention(shapes, results, options, inputs):
    batch, length, hidden = results[0]
    keys = results[1][2] if len(results) > 1 and results[1] else None
    if keys is None:
        keys = shapes[0][1] if len(shapes[0]) == 5 else shapes[1][-2 if len(shapes[1]) == 4 else 1]
    width = shapes[0][2] * shapes[0][4] if len(shapes[0]) == 5 else shapes[0][2]
    return batch * length * keys * (width + hidden)


def _packed_attention(shapes, results, options, inputs):
    batch, length, width = shapes[0]
    keys = results[1][3] if len(results) > 1 and results[1] else length
    query_key_value = options.get("qkv_hidden_sizes") or [shapes[1][1] // 3] * 3
    both = batch * length * keys * (query_key_value[0] + query_key_value[2])
    return batch * length * width * sum(query_key_value) + both


def _grouped_query_attention(shapes, results, options, inputs):
    batch, length, hidden = results[0]
    return 2 * batch * length * results[1][2] * hidden


def _n_bits(shapes, results, options, inputs):
    return prod(results[0]) * options["K"]


def _linear_attention(shapes, results, options, inputs):
    batch, length = shapes[0][:2]
    queries, keys = options["q_num_heads"], options["kv_num_heads"]
    state = shapes[1][2] // keys * (shapes[2][2] // keys)
    rule = options.get("update_rule", b"gated_delta").decode()
    return batch * length * state * (queries + keys * (2 if "delta" in rule else 1))


def _affine_grid(shapes, results, options, inputs):
    """theta [batch, dimensions, dimensions + 1] times every place of the grid."""
    places = prod(results[0][1:-1])
    return prod(shapes[0]) * places


def _linear_model(shapes, results, options, inputs):
    return shapes[0][0] * len(options["coefficients"])


MS = "com.microsoft"
RULES = {
    ("", "Conv"): _convolution(1),
    ("", "ConvInteger"): _convolution(1),
    ("", "QLinearConv"): _convolution(3),
    ("", "DeformConv"): _convolution(1),
    ("", "CausalConvWithState"): _convolution(1),
    ("", "ConvTranspose"): _transposed,
    ("", "Gemm"): _product(0, 1),
    ("", "MatMul"): _product(0, 1),
    ("", "MatMulInteger"): _product(0, 1),
    ("", "QLinearMatMul"): _product(0, 3),
    ("", "LSTM"): _recurrent(4),
    ("", "GRU"): _recurrent(3),
    (MS, "DynamicQuantizeLSTM"): _recurrent(4, is_transposed=True),
    ("", "RNN"): _recurrent(1),
    ("", "Einsum"): _einsum,
    ("", "Attention"): _attention,
    ("", "LinearAttention"): _linear_attention,
    ("ai.onnx.preview", "FlexAttention"): _attention,
    ("", "AffineGrid"): _affine_grid,
    ("ai.onnx.ml", "LinearRegressor"): _linear_model,
    ("ai.onnx.ml", "LinearClassifier"): _linear_model,
    (MS, "FusedConv"): _convolution(1),
    (MS, "FusedMatMul"): _product(0, 1),
    (MS, "FusedGemm"): _product(0, 1),
    (MS, "DynamicQuantizeMatMul"): _product(0, 1),
    (MS, "MatMulIntegerToFloat"): _product(0, 1),
    (MS, "QGemm"): _product(0, 3),
    (MS, "MatMulNBits"): _n_bits,
    (MS, "MultiHeadAttention"): _multi_head_attention,
    (MS, "Attention"): _packed_attention,
    (MS, "GroupQueryAttention"): _grouped_query_attention,
}
