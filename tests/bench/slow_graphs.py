"""Small graphs with one planted reason to be slow, and healthy ones: `python tests/bench/slow_graphs.py [NAME ...]`.

Runs each in ONNX Runtime as `python -m bench why` does, and prints the planted cause beside those that are named; with
`--json FILE` their evidence too. Every graph is made here and random; one run of all takes some ten seconds.
"""

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

F, I64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
HEALTHY = ""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A graph whose truth is known."""

    model: onnx.ModelProto
    cause: str
    """Name of the planted cause; HEALTHY for none."""


class Graph:
    """Builds a graph node by node."""

    def __init__(self):
        self.dice = np.random.default_rng(0)
        self.nodes, self.inputs, self.stored = [], [], []

    def put(self, name, dtype, *shape):
        self.inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def weight(self, *shape, dtype=np.float32):
        return self.constant((0.05 * self.dice.standard_normal(shape)).astype(dtype))

    def constant(self, value):
        name = f"c{len(self.stored)}"
        self.stored.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def add(self, operator, *inputs, domain="", **attributes):
        name = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(
                operator, list(inputs), [name], name=f"n_{name}", domain=domain, **attributes
            )
        )
        return name

    def conv(self, x, num_in, num_out, side=3, *, axes=2, group=1):
        w = self.weight(num_out, num_in // group, *[side] * axes)
        return self.add("Conv", x, w, group=group, pads=[side // 2] * 2 * axes)

    def done(self, out, dtype=F):
        graph = helper.make_graph(
            self.nodes,
            "g",
            self.inputs,
            [helper.make_tensor_value_info(out, dtype, None)],
            self.stored,
        )
        domains = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=domains, ir_version=10)


def grouped(channels, group, side):
    g = Graph()
    x = g.conv(g.put("x", F, 1, channels, side, side), channels, channels, 1)
    for _ in range(3):
        x = g.add("Relu", g.conv(x, channels, channels, group=group))
    return g.done(x)


def volume(channels):
    g = Graph()
    x = g.put("x", F, 1, channels, 8, 24, 24)
    for _ in range(2):
        x = g.add("Relu", g.conv(x, channels, channels, axes=3))
    return g.done(x)


def loop(num_passes, size):
    g = Graph()
    body = Graph()
    value = helper.make_tensor_value_info("h", F, [1, size])
    body.inputs += [
        helper.make_tensor_value_info("i", I64, []),
        helper.make_tensor_value_info("going", BOOL, []),
        value,
    ]
    w = body.weight(size, size)
    h = body.add("Tanh", body.add("MatMul", "h", w))
    go = body.add("Identity", "going")
    inner = helper.make_graph(
        body.nodes,
        "body",
        body.inputs,
        [
            helper.make_tensor_value_info(go, BOOL, []),
            helper.make_tensor_value_info(h, F, [1, size]),
        ],
        body.stored,
    )
    x = g.put("x", F, 1, size)
    out = g.add("Loop", g.constant(np.int64(num_passes)), g.constant(np.bool_(True)), x, body=inner)
    return g.done(out)


def qdq(num, size):
    """Rounded to 8 bits and back between operations that have no 8-bit kernel."""
    g = Graph()
    x = g.put("x", F, size, size)
    scale, zero = g.constant(np.float32(0.02)), g.constant(np.uint8(128))
    for _ in range(num):
        x = g.add("Abs", x)
        x = g.add("DequantizeLinear", g.add("QuantizeLinear", x, scale, zero), scale, zero)
    return g.done(x)


def casts(num, size, to=TensorProto.INT32):
    g = Graph()
    x = g.put("x", F, size, size)
    for _ in range(num):
        x = g.add("Cast", g.add("Neg", g.add("Cast", x, to=to)), to=F)
    return g.done(x)


def shuffled(num, channels, side):
    """Channels shuffled between cheap operations."""
    g = Graph()
    x = g.put("x", F, 1, channels, side, side)
    split = g.constant([1, 4, channels // 4, side, side])
    whole = g.constant([1, channels, side, side])
    for _ in range(num):
        x = g.add("Transpose", g.add("Reshape", x, split), perm=[0, 2, 1, 3, 4])
        x = g.add("Relu", g.add("Reshape", x, whole))
    return g.done(x)


def windowed(num, size, window, channels):
    """Windows cut out and put back, as window attention does."""
    g = Graph()
    x = g.put("x", F, 1, size, size, channels)
    many = size // window
    cut = g.constant([1, many, window, many, window, channels])
    whole = g.constant([1, size, size, channels])
    for _ in range(num):
        x = g.add("Transpose", g.add("Reshape", x, cut), perm=[0, 1, 3, 2, 4, 5])
        x = g.add("Relu", g.add("Reshape", x, whole))
    return g.done(x)


def unrolled(num_steps, size):
    """A recurrent layer as an exporter without LSTM writes it."""
    g = Graph()
    x, h = g.put("x", F, 1, size), g.put("h", F, 1, size)
    w, u = g.weight(size, size), g.weight(size, size)
    for _ in range(num_steps):
        h = g.add("Tanh", g.add("Add", g.add("MatMul", x, w), g.add("MatMul", h, u)))
    return g.done(h)


def sliced(num, size):
    """An operator written out as many slices and additions of little arrays."""
    g = Graph()
    x = g.put("x", F, 8, size)
    parts = []
    for n in range(num):
        row = g.add("Slice", x, g.constant([n % size]), g.constant([n % size + 1]), g.constant([1]))
        parts.append(g.add("Mul", row, g.constant(np.float32(n))))
    return g.done(g.add("Concat", *parts, axis=1))


def shaped(num, size):
    """Two open axes, computed again before every reshape."""
    g = Graph()
    x = g.put("x", F, "batch", "length", size)
    seven = g.constant(np.int64(7))
    for _ in range(num):
        extents = []
        for axis in range(2):
            extent = g.add("Gather", g.add("Shape", x), g.constant(np.int64(axis)))
            extent = g.add("Sub", g.add("Add", extent, seven), seven)
            extents.append(g.add("Unsqueeze", extent, g.constant([0])))
        x = g.add("Reshape", x, g.add("Concat", *extents, g.constant([size]), axis=0))
        x = g.add("Relu", x)
    return g.done(x)


def chain(size, num, *, operators=("Mul", "Add", "Tanh", "Sub", "Pow")):
    g = Graph()
    x = g.put("x", F, size, size)
    two = g.constant(np.float32(2.0))
    for n in range(num):
        operator = operators[n % len(operators)]
        x = (
            g.add(operator, x)
            if operator in ("Tanh", "Erf", "Sigmoid", "Exp")
            else g.add(operator, x, two)
        )
    return g.done(x)


def scattered(num, size):
    g = Graph()
    x = g.put("x", F, size, size)
    index = g.constant(g.dice.integers(0, size, (size, size)))
    for _ in range(num):
        x = g.add("GatherElements", x, index, axis=1)
    return g.done(x)


def sorted_out(num, size):
    g = Graph()
    x = g.put("x", F, num, size)
    k = g.constant([size])
    out, order = "top", "order"
    g.nodes.append(helper.make_node("TopK", [x, k], [out, order], name="n_topk", axis=1))
    return g.done(out)


def mlp(size, num):
    g = Graph()
    x = g.put("x", F, 64, size)
    for _ in range(num):
        x = g.add("Relu", g.add("Gemm", x, g.weight(size, size), g.weight(size)))
    return g.done(x)


def pictures(channels, num, side=28):
    g = Graph()
    x = g.put("x", F, 1, channels, side, side)
    for _ in range(num):
        x = g.add("Relu", g.conv(x, channels, channels))
    return g.done(x)


def mobile(channels, num, side=28):
    """One filter per channel, then a pointwise convolution."""
    g = Graph()
    x = g.put("x", F, 1, channels, side, side)
    for _ in range(num):
        x = g.add("Relu", g.conv(x, channels, channels, group=channels))
        x = g.add("Relu", g.conv(x, channels, channels, 1))
    return g.done(x)


def residual(channels, num, side=28):
    g = Graph()
    x = g.put("x", F, 1, channels, side, side)
    for _ in range(num):
        inner = g.conv(g.add("Relu", g.conv(x, channels, channels)), channels, channels)
        x = g.add("Relu", g.add("Add", inner, x))
    return g.done(x)


def attention(width, length, num):
    g = Graph()
    x = g.put("x", F, 1, length, width)
    for _ in range(num):
        q, k, v = (g.add("MatMul", x, g.weight(width, width)) for _ in range(3))
        scores = g.add(
            "Softmax", g.add("MatMul", q, g.add("Transpose", k, perm=[0, 2, 1])), axis=-1
        )
        x = g.add("MatMul", g.add("MatMul", scores, v), g.weight(width, width))
    return g.done(x)


def recurrent(size, steps):
    g = Graph()
    x = g.put("x", F, steps, 1, size)
    w, r = g.weight(1, 4 * size, size), g.weight(1, 4 * size, size)
    g.nodes.append(helper.make_node("LSTM", [x, w, r], ["y"], name="n_lstm", hidden_size=size))
    return g.done("y")


def eight_bits(size, num):
    """Products between Q and DQ, which ONNX Runtime fuses into 8-bit kernels."""
    g = Graph()
    x = g.put("x", F, 128, size)
    scale, zero = g.constant(np.float32(0.02)), g.constant(np.uint8(128))
    fine, none = g.constant(np.float32(0.001)), g.constant(np.int8(0))

    def rounded(value):
        return g.add("DequantizeLinear", g.add("QuantizeLinear", value, scale, zero), scale, zero)

    x = rounded(x)
    for _ in range(num):
        stored = g.constant(g.dice.integers(-127, 127, (size, size)).astype(np.int8))
        x = rounded(g.add("MatMul", x, g.add("DequantizeLinear", stored, fine, none)))
    return g.done(x)


def embedded(words, width):
    g = Graph()
    ids = g.put("ids", I64, 1, 64)
    x = g.add("Gather", g.weight(words, width), ids)
    for _ in range(4):
        x = g.add("MatMul", x, g.weight(width, width))
    return g.done(x)


CASES = {
    "grouped, 4 channels each": Case(model=grouped(256, 64, 28), cause="grouped convolution"),
    "grouped, 2 channels each": Case(model=grouped(128, 64, 28), cause="grouped convolution"),
    "grouped, small pictures": Case(model=grouped(512, 128, 14), cause="grouped convolution"),
    "3-D, 8 channels": Case(model=volume(8), cause="3-D convolution"),
    "3-D, 16 channels": Case(model=volume(16), cause="3-D convolution"),
    "loop, many passes": Case(model=loop(200, 64), cause="data-dependent loop"),
    "loop, large body": Case(model=loop(20, 512), cause="data-dependent loop"),
    "Q/DQ around Abs": Case(model=qdq(4, 256), cause="Q/DQ left unfused"),
    "Q/DQ, large arrays": Case(model=qdq(3, 512), cause="Q/DQ left unfused"),
    "casts to integers and back": Case(model=casts(6, 512), cause="casts"),
    "casts to float64 and back": Case(model=casts(4, 512, TensorProto.DOUBLE), cause="casts"),
    "channels shuffled": Case(model=shuffled(4, 64, 56), cause="layout copies"),
    "windows cut out": Case(model=windowed(4, 56, 7, 32), cause="layout copies"),
    "unrolled recurrence": Case(model=unrolled(100, 32), cause="unrolled or decomposed operators"),
    "an operator of slices": Case(model=sliced(100, 16), cause="unrolled or decomposed operators"),
    "shapes of a dynamic batch": Case(model=shaped(30, 16), cause="dynamic shapes"),
    "elementwise chain": Case(model=chain(512, 12), cause="elementwise chain"),
    "elementwise chain, decomposed GELU": Case(
        model=chain(768, 10, operators=("Div", "Erf", "Sub", "Mul", "Max")),
        cause="elementwise chain",
    ),
    "gathered by element": Case(model=scattered(4, 512), cause="scattered indexing"),
    "sorted": Case(model=sorted_out(64, 4096), cause="scattered indexing"),
    "fully connected": Case(model=mlp(512, 4), cause=HEALTHY),
    "convolutional": Case(model=pictures(64, 4), cause=HEALTHY),
    "depthwise and pointwise": Case(model=mobile(256, 3), cause=HEALTHY),
    "residual": Case(model=residual(64, 3), cause=HEALTHY),
    "attention": Case(model=attention(384, 128, 2), cause=HEALTHY),
    "attention, long": Case(model=attention(256, 256, 2), cause=HEALTHY),
    "one LSTM node": Case(model=recurrent(256, 64), cause=HEALTHY),
    "fused 8-bit products": Case(model=eight_bits(512, 4), cause=HEALTHY),
    "embedding and products": Case(model=embedded(1000, 384), cause=HEALTHY),
    "wide fully connected": Case(model=mlp(1024, 2), cause=HEALTHY),
}


def found_in(model, folder):
    """The evidence of one session, on one thread."""
    from bench.graph_analysis.evidence import Evidence
    from bench.graph_analysis.profiled import product_rate
    from bench.graph_analysis.running import working_feeds
    from bench.graph_analysis.session_profile import profiled

    path = Path(folder, "graph.onnx")
    onnx.save(model, path)
    nodes, _, provider = profiled(path, working_feeds(path), 1)
    return Evidence(nodes=nodes, provider=provider, threads=1, peak=product_rate(1))


def main(asked):
    from bench.graph_analysis.causes import causes_of

    lost = 0
    answers = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in asked or CASES:
            evidence = found_in(CASES[name].model, folder)
            causes = causes_of(evidence)
            answers[name] = [finding.cause for finding in causes]
            first = answers[name][0] if causes else HEALTHY
            is_right = first == CASES[name].cause
            lost += not is_right
            print(
                f"{'right' if is_right else 'WRONG':6} {name:36} {CASES[name].cause or 'healthy':34}",
                end="",
            )
            print("; ".join(f"{f.cause} {f.share:.0%}" for f in causes), flush=True)
            if not is_right:
                for node in sorted(evidence.nodes, key=lambda n: -n.seconds)[:4]:
                    rate = node.macs / node.seconds / evidence.peak if node.seconds else 0
                    print(
                        f"       {node.operator} {node.name} {node.seconds * 1e6:.0f} us {rate:.2f} of peak"
                    )
    print(json.dumps(answers))
    return lost


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    sys.exit(min(1, main(sys.argv[1:])))
