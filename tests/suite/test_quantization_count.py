"""What is quantized: counts of hand-made graphs, what ONNX Runtime runs of them, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from quantization_graphs import conv_net, language_model, node, random, recurrent, save

from suite.lifecycle import Quantization
from suite.quantization.count import count, weights_by_operator
from suite.quantization.errors import QuantizationError
from suite.quantization.nodes import named, scopes_of
from suite.quantization.report import check, claims_of, completed, kernels
from suite.results.quantize import KernelCount, OperatorCount, QuantizationReport
from suite.results.step_result import BytesLeft

pytestmark = pytest.mark.heavy

X = {"x": (TensorProto.FLOAT, ["n", 4])}
Y = {"y": (TensorProto.FLOAT, ["n", 6])}


def qdq_product(path, *, is_weight_converted=True):
    """y = MatMul(DQ(Q(x)), DQ(bytes)); or with the weight in float."""
    small, zero = np.float32(0.05), np.uint8(128)
    weight = ["wd"] if is_weight_converted else ["wf"]
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], "xq", "q"),
        node("DequantizeLinear", ["xq", "s", "z"], "xd", "dq"),
        node("DequantizeLinear", ["w", "ws", "wz"], "wd", "dqw"),
        node("MatMul", ["xd", *weight], "y", "product"),
    ]
    weights = {
        "s": small,
        "z": zero,
        "ws": np.float32(0.01),
        "wz": np.int8(0),
        "w": np.arange(-12, 12, dtype=np.int8).reshape(4, 6),
        "wf": random(4, 6),
    }
    return save(path, nodes, weights, X, Y)


def integer_product(path):
    """y = Cast(MatMulInteger(DynamicQuantizeLinear(x), bytes)) * scale."""
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["xq", "xs", "xz"], "dynamic"),
        node("MatMulInteger", ["xq", "w", "xz", "wz"], "i", "product"),
        node("Cast", ["i"], "f", "cast", to=TensorProto.FLOAT),
        node("Mul", ["xs", "ws"], "scale", "scales"),
        node("Mul", ["f", "scale"], "y", "scaled"),
    ]
    weights = {
        "w": np.arange(-12, 12, dtype=np.int8).reshape(4, 6),
        "wz": np.int8(0),
        "ws": np.float32(0.01),
    }
    return save(path, nodes, weights, X, Y)


def test_a_product_between_conversions_counts_as_quantized(tmp_path):
    facts = count(qdq_product(tmp_path / "g.onnx"))
    assert facts.quantized == {"MatMul": 1}
    assert facts.num_quantized == 1
    assert facts.floating == {}


def test_a_product_with_a_float_weight_does_not(tmp_path):
    facts = count(qdq_product(tmp_path / "g.onnx", is_weight_converted=False))
    assert facts.num_quantized == 0
    assert facts.floating == {"MatMul": 1}


def test_an_integer_product_counts_as_quantized(tmp_path):
    facts = count(integer_product(tmp_path / "g.onnx"))
    assert facts.quantized == {"MatMulInteger": 1}
    assert facts.weight_bytes == {"float": 4, "int8": 25}


def test_products_of_activations_are_told_from_those_with_weights(tmp_path):
    facts = count(language_model(tmp_path / "g.onnx"))
    assert facts.num_quantized == 0
    assert facts.floating == {
        "MatMul": 5
    }  # the tied last layer reads its table through a Transpose
    assert facts.without_weights == {"MatMul": 2}


def test_weights_are_told_by_operator_each_once(tmp_path):
    sizes = weights_by_operator(onnx.load(conv_net(tmp_path / "g.onnx")))
    assert sizes == {
        "Conv": 4 * (16 * 3 * 9 + 16 + 16 * 16 * 9 + 32 * 16 * 16),
        "Gemm": 4 * (10 * 128 + 10),
    }


def test_onnx_runtime_is_asked_what_it_runs(tmp_path):
    facts = kernels(integer_product(tmp_path / "g.onnx"))
    assert facts.num_integer == 1
    assert list(facts.integer) == ["DynamicQuantizeMatMul"]
    plain = kernels(conv_net(tmp_path / "plain.onnx"))
    assert plain.num_integer == 0
    assert plain.floating["Conv"] + plain.floating.get("FusedConv", 0) == 3


def test_conversions_that_onnx_runtime_does_not_fuse_are_a_silent_no_op_and_refused(tmp_path):
    """GRU has no 8-bit kernel: a graph with converted weights only looks quantized."""
    path = recurrent(tmp_path / "float.onnx", "GRU", 3)
    model = onnx.load(path)
    convert = [
        node("DequantizeLinear", [f"{name}8", "s", "z"], name, f"dq_{name}") for name in "wr"
    ]
    model.graph.node.insert(0, convert[0])
    model.graph.node.insert(1, convert[1])
    model.graph.node.insert(2, node("QuantizeLinear", ["x", "s", "z"], "xq", "q"))
    model.graph.node.insert(3, node("DequantizeLinear", ["xq", "s", "z"], "xd", "dq"))
    model.graph.node[4].input[0] = "xd"
    tensors = {t.name: t for t in model.graph.initializer}
    for name in "wr":
        shape = tuple(tensors[name].dims)
        model.graph.initializer.remove(tensors[name])
        model.graph.initializer.append(
            onnx.numpy_helper.from_array(np.ones(shape, np.int8), f"{name}8")
        )
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(0.05), "s"))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.int8(0), "z"))
    after = tmp_path / "q.onnx"
    onnx.save(model, after)
    facts = completed(QuantizationReport(), path, after)
    assert facts.num_quantized == 1
    assert facts.num_kernels == 0
    assert facts.bytes.left < 0.6
    with pytest.raises(
        QuantizationError, match="ONNX Runtime runs them in 8 bits: 0 8-bit kernels"
    ):
        check(facts, Quantization())


COUNT = OperatorCount(quantized={"Conv": 3}, num_quantized=3, floating={"Gemm": 1})
KERNELS = KernelCount(integer={"QLinearConv": 3}, num_integer=3, conversions={"QuantizeLinear": 1})
REPORT = QuantizationReport(
    num_quantized=3,
    num_kernels=3,
    count=COUNT,
    kernels=KERNELS,
    bytes=BytesLeft(before=1000, after=300, left=0.3),
)
NONE_QUANTIZED = {"num_quantized": 0, "count": replace(COUNT, num_quantized=0)}
NONE_RUN = {"num_kernels": 0, "kernels": replace(KERNELS, num_integer=0)}


def test_good_facts_are_let_through():
    check(REPORT, Quantization(least_operators=3))
    assert all(claim.holds for claim in claims_of(REPORT, Quantization()))


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        (NONE_QUANTIZED, {}, "operators are quantized: 0 quantized"),
        (NONE_RUN, {}, "ONNX Runtime runs them in 8 bits: 0 8-bit kernels"),
        (
            {},
            {"least_operators": 4},
            "3 quantized .Conv 3., expected at least 4.* in float: Gemm 1",
        ),
        ({}, {"bytes_left": 0.25}, "1000 -> 300 bytes, x0.300; expected at most x0.25"),
    ],
)
def test_what_does_not_hold_is_named_with_its_figures(change, settings, message):
    with pytest.raises(QuantizationError, match=message):
        check(replace(REPORT, **change), replace(Quantization(), **settings))


def test_zero_operators_are_never_enough():
    with pytest.raises(QuantizationError, match="expected at least 1"):
        check(replace(REPORT, **NONE_QUANTIZED), Quantization(least_operators=0))


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("third", ["third"]),
        ("relu_*", ["relu_1", "relu_2"]),
        ("fc", ["head"]),
        ("block", ["second", "residual", "relu_2"]),
        ("op:Conv", ["first", "second", "third"]),
        ("op:*max", ["softmax"]),
    ],
)
def test_nodes_are_meant_by_name_by_module_and_by_operator(tmp_path, pattern, expected):
    assert named(onnx.load(conv_net(tmp_path / "g.onnx")), [pattern]) == expected


def test_a_pattern_that_means_nothing_is_refused_with_what_it_may_have_meant(tmp_path):
    model = onnx.load(conv_net(tmp_path / "g.onnx"))
    with pytest.raises(QuantizationError, match=r"'thrid' means no node.*did you mean third"):
        named(model, ["first", "thrid"])
    with pytest.raises(QuantizationError, match=r"'op:GRU' means no node.*op:Conv"):
        named(model, ["op:GRU"])


def test_a_module_note_that_does_not_parse_is_no_module():
    made = node("Relu", ["a"], "b", "r")
    entry = made.metadata_props.add()
    entry.key, entry.value = "pkg.torch.onnx.name_scopes", "['', 'cut off"
    assert scopes_of(made) == ()
