"""Activations made even: the graph computes the same, and no channel keeps the codes of the others."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from planted_layers import chain_of_convolutions, chain_of_products, rows
from quantization_graphs import conv_net, node, pictures, random, save

from suite.quantization.errors import QuantizationError
from suite.quantization.sensitivity import relative_error
from suite.quantization.sessions import run
from suite.quantization.smooth import scales, sites_in, smooth

pytestmark = pytest.mark.heavy


def block(path, **changes):
    """A norm that two products read, one of them a Gemm; a channel of its weight is huge."""
    weight = np.ones(64, np.float32)
    weight[3] = 500.0
    nodes = [
        node("LayerNormalization", ["x", "scale", "bias"], "n", "norm", axis=-1),
        node("MatMul", ["n", changes.get("first", "wq")], "q", "to_q"),
        node("Gemm", ["n", "wk", "bk"], "k", "to_k", transB=1),
        node("Add", ["q", changes.get("other", "k")], "y", "sum"),
    ]
    weights = {
        "scale": weight,
        "bias": random(64),
        "wq": random(64, 64, seed=1),
        "wk": random(64, 64, seed=2),
        "bk": random(64, seed=3),
    }
    inputs = {"x": (TensorProto.FLOAT, ["n", 64])}
    return save(path, nodes, weights, inputs, {"y": (TensorProto.FLOAT, ["n", 64])})


def spread(graph, tensor, feed):
    """How many times the largest magnitude of a channel is the median one."""
    model = onnx.load(graph)
    model.graph.output.append(onnx.helper.make_tensor_value_info(tensor, TensorProto.FLOAT, None))
    seen = graph.with_name("spread.onnx")
    onnx.save(model, seen)
    largest = np.abs(run(seen, feed)[-1]).max(axis=0)
    return largest.max() / np.median(largest)


def test_a_norm_and_all_that_read_it_share_a_scale_and_the_graph_computes_the_same(tmp_path):
    graph = block(tmp_path / "net.onnx")
    even = tmp_path / "even.onnx"
    assert smooth(graph, even, rows()) == ["n"]
    feed = rows(1, seed=9)[0]
    assert relative_error([run(graph, feed)], [run(even, feed)]) < 1e-5
    assert spread(even, "n", feed) < spread(graph, "n", feed) / 5


def test_a_norm_that_something_else_reads_too_stays_as_it_is(tmp_path):
    graph = block(tmp_path / "net.onnx", other="n")
    with pytest.raises(QuantizationError, match="no norm or convolution writes a tensor"):
        smooth(graph, tmp_path / "even.onnx", rows())


def test_a_weight_of_two_layers_is_not_scaled_for_one_of_them(tmp_path):
    model = onnx.load(block(tmp_path / "net.onnx", first="wk"))
    assert sites_in(model) == []


def test_convolutions_are_evened_out_through_a_relu_between_them(tmp_path):
    graph = chain_of_convolutions(tmp_path / "net.onnx", planted=99)
    even = tmp_path / "even.onnx"
    assert smooth(graph, even, pictures()) == ["r0", "r1", "r2"]
    feed = pictures(1, seed=9)[0]
    assert relative_error([run(graph, feed)], [run(even, feed)]) < 1e-5


def test_a_tensor_that_goes_round_a_layer_is_left_alone(tmp_path):
    assert sites_in(onnx.load(conv_net(tmp_path / "net.onnx"))) == []


def test_a_vector_that_scales_an_activation_is_the_weight_of_a_norm(tmp_path):
    graph = chain_of_products(tmp_path / "net.onnx", is_norm=True)
    even = tmp_path / "even.onnx"
    assert smooth(graph, even, rows()) == ["scaled"]
    feed = rows(1, seed=9)[0]
    assert relative_error([run(graph, feed)], [run(even, feed)]) < 1e-4


def test_no_samples_are_refused(tmp_path):
    graph = block(tmp_path / "net.onnx")
    with pytest.raises(QuantizationError, match="no sample to see the magnitudes"):
        smooth(graph, tmp_path / "even.onnx", [])


def test_channels_that_are_never_used_keep_their_scale():
    found = scales(np.array([0.0, 4.0, 4.0]), [np.array([1.0, 0.0, 1.0])])
    np.testing.assert_allclose(found, [1.0, 1.0, 2.0])
