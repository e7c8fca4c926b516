"""Small ONNX graphs, made by hand, for the tests of quantization."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SCOPES = "pkg.torch.onnx.name_scopes"
OPSET = [helper.make_opsetid("", 18)]


def node(operator, inputs, output, name, scope="", **attributes):
    made = helper.make_node(operator, inputs, [output], name, **attributes)
    if scope:
        entry = made.metadata_props.add()
        entry.key, entry.value = SCOPES, repr(["", *scope.split("/")])
    return made


def save(path, nodes, weights, inputs, outputs, opset=OPSET):
    """`inputs`: name -> (type, shape); `outputs`: name -> (type, shape); weights: name -> array."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(n, t, s) for n, (t, s) in inputs.items()],
        [helper.make_tensor_value_info(n, t, s) for n, (t, s) in outputs.items()],
        [numpy_helper.from_array(a, n) for n, a in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=opset, ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def random(*shape, seed=0, scale=0.2):
    return (scale * np.random.default_rng((seed, *shape)).standard_normal(shape)).astype(np.float32)


def conv_net(path):
    """Two convolutions with a residual, and a linear head called `fc`; the answer goes through a Softmax."""
    nodes = [
        node("Conv", ["x", "w1", "b1"], "c1", "first", "stem/conv", pads=[1] * 4),
        node("Relu", ["c1"], "r1", "relu_1", "stem/relu"),
        node("Conv", ["r1", "w2"], "c2", "second", "block/conv", pads=[1] * 4),
        node("Add", ["c2", "r1"], "a", "residual", "block/add"),
        node("Relu", ["a"], "r2", "relu_2", "block/relu"),
        node("Conv", ["r2", "w3"], "c3", "third", "last/conv", strides=[4, 4]),
        node("Flatten", ["c3"], "f", "flat", "flatten"),
        node("Gemm", ["f", "w4", "b4"], "logits", "head", "fc/linear", transB=1),
        node("Softmax", ["logits"], "p", "softmax", "softmax"),
    ]
    weights = {
        "w1": random(16, 3, 3, 3),
        "b1": random(16),
        "w2": random(16, 16, 3, 3),
        "w3": random(32, 16, 4, 4),
        "w4": random(10, 128),
        "b4": random(10),
    }
    return save(
        path,
        nodes,
        weights,
        {"x": (TensorProto.FLOAT, ["n", 3, 8, 8])},
        {"p": (TensorProto.FLOAT, ["n", 10])},
    )


def language_model(path, vocabulary=64, width=32):
    """An embedding, one attention without heads, and a last layer tied to the embedding."""
    mats = {f"w{k}": random(width, width, seed=i) for i, k in enumerate("qkvo")}
    nodes = [
        node("Gather", ["table", "ids"], "e", "lookup", "model/embed/embedding"),
        *(node("MatMul", ["e", f"w{k}"], k, f"to_{k}", f"model/{k}/linear") for k in "qkv"),
        node("Transpose", ["k"], "kt", "turn", "model/sdpa", perm=[0, 2, 1]),
        node("MatMul", ["q", "kt"], "s", "scores", "model/sdpa"),
        node("Softmax", ["s"], "p", "softmax", "model/sdpa"),
        node("MatMul", ["p", "v"], "m", "mix", "model/sdpa"),
        node("MatMul", ["m", "wo"], "o", "to_o", "model/o/linear"),
        node("Add", ["o", "e"], "h", "residual", "model/add"),
        node("Transpose", ["table"], "tt", "turn_table", "lm_head/linear", perm=[1, 0]),
        node("MatMul", ["h", "tt"], "logits", "to_words", "lm_head/linear"),
    ]
    return save(
        path,
        nodes,
        {"table": random(vocabulary, width, scale=1.0), **mats},
        {"ids": (TensorProto.INT64, ["n", "t"])},
        {"logits": (TensorProto.FLOAT, ["n", "t", vocabulary])},
    )


def recurrent(path, operator, gates, width=32):
    """One recurrent layer over [time, batch, width], and nothing else."""
    weights = {
        "w": random(1, gates * width, width),
        "r": random(1, gates * width, width, seed=1),
        "b": random(1, 2 * gates * width),
    }
    made = helper.make_node(
        operator, ["x", "w", "r", "b"], ["y"], "cell", hidden_size=width, direction="forward"
    )
    return save(
        path,
        [made],
        weights,
        {"x": (TensorProto.FLOAT, ["t", "n", width])},
        {"y": (TensorProto.FLOAT, ["t", 1, "n", width])},
    )


def enlarger(path, kernel, stride, pad, size=(5, 6)):
    """One transposed convolution from 3 to 4 channels."""
    made = node(
        "ConvTranspose",
        ["x", "w", "b"],
        "y",
        "up",
        "decoder/up",
        strides=[stride] * 2,
        pads=[pad] * 4,
        kernel_shape=[kernel] * 2,
    )
    return save(
        path,
        [made],
        {"w": random(3, 4, kernel, kernel), "b": random(4)},
        {"x": (TensorProto.FLOAT, ["n", 3, *size])},
        {"y": (TensorProto.FLOAT, ["n", 4, None, None])},
    )


def pictures(count=4, batch=2, side=8, seed=0):
    rng = np.random.default_rng(seed)
    return [
        {"x": rng.standard_normal((batch, 3, side, side)).astype(np.float32)} for _ in range(count)
    ]


def sentences(count=4, length=6, vocabulary=64, seed=0):
    rng = np.random.default_rng(seed)
    return [{"ids": rng.integers(0, vocabulary, (2, length))} for _ in range(count)]
