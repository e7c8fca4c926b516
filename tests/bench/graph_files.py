"""Small ONNX files and graph records for the tests of bench.graph_diff and bench.netron."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bench.onnx_graph.record import Graph, Node, Value

EVIL = (
    '"><script>window.pwned=1</script><img src=x onerror=window.pwned=2>',
    'it\'s "quoted" & <b>bold</b>',
    "🦆 مرحبا \u202e rtl",
    "[bold red]markup[/bold red]",
    "x" * 10_000,
    "two\nlines\tand a tab",
    "control \x01\x1f characters",
    "]]>&amp;{{ 7 * 7 }}",
    "javascript:alert(1)",
)
"""Names that must be shown and never run."""


def node(key, operator, inputs=(), outputs=(), *, shape=None, dtype="float", **rest):
    return Node(
        key=key,
        operator=operator,
        inputs=tuple(inputs),
        outputs=tuple(Value(name=n, dtype=dtype, shape=shape) for n in outputs),
        **rest,
    )


def graph(*nodes, tensors=(), inputs=("x",), outputs=("y",), **rest):
    values = {
        "path": "g.onnx",
        "name": "g",
        "num_bytes": 1000,
        "ir_version": 10,
        "opsets": (("ai.onnx", 20),),
        "producer": "test",
    }
    return Graph(
        **{**values, **rest},
        inputs=tuple(Value(name=n, dtype="float", shape=("batch", 3)) for n in inputs),
        outputs=tuple(Value(name=n, dtype="float", shape=("batch", 3)) for n in outputs),
        nodes=tuple(nodes),
        tensors=tuple(tensors),
    )


def save(path, nodes, *, weights=None, inputs=None, outputs=None, **rest):
    """Writes a graph of onnx.helper nodes; weights: name -> array."""
    model = helper.make_model(
        helper.make_graph(
            nodes,
            rest.pop("name", "graph"),
            inputs or [value("x", ["batch", 3])],
            outputs or [value("y", ["batch", None])],
            [numpy_helper.from_array(np.asarray(a), n) for n, a in (weights or {}).items()],
        ),
        opset_imports=rest.pop("opsets", None) or [helper.make_opsetid("", 20)],
        **rest,
    )
    onnx.save(model, path)
    return path


def value(name, shape, dtype=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, dtype, shape)


def chain(path, num_nodes, *, scopes=()):
    """A graph of that many nodes in a row; scopes: modules that they are spread over."""
    nodes, before = [], "x"
    for number in range(num_nodes):
        one = helper.make_node("Relu", [before], [f"v{number}"], name=f"n{number}")
        if scopes:
            scope = scopes[number * len(scopes) // num_nodes]
            prop = one.metadata_props.add()
            prop.key, prop.value = "pkg.torch.onnx.name_scopes", repr(["", scope, f"n{number}"])
        nodes.append(one)
        before = f"v{number}"
    return save(path, nodes, outputs=[value(before, ["batch", 3])])


def net(path, *, seed=0, width=8, bias=True, **rest):
    """A convolution, a ReLU and a product, with weights of their own."""
    rng = np.random.default_rng(seed)
    weights = {
        "conv.weight": rng.normal(size=(width, 3, 3, 3)).astype(np.float32),
        "conv.bias": rng.normal(size=width).astype(np.float32),
        "fc.weight": rng.normal(size=(width, 5)).astype(np.float32),
    }
    nodes = [
        helper.make_node(
            "Conv",
            ["x", "conv.weight", *(["conv.bias"] if bias else [])],
            ["c"],
            name="conv",
            kernel_shape=[3, 3],
            pads=[1, 1, 1, 1],
        ),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("GlobalAveragePool", ["r"], ["p"], name="pool"),
        helper.make_node("Flatten", ["p"], ["f"], name="flatten"),
        helper.make_node("MatMul", ["f", "fc.weight"], ["y"], name="fc"),
    ]
    if not bias:
        del weights["conv.bias"]
    inputs = [value("x", ["batch", 3, 16, 16])]
    return save(
        path, nodes, weights=weights, inputs=inputs, outputs=[value("y", ["batch", 5])], **rest
    )
