"""Channels of a weight that are quantized at once: what comes out stays what ONNX Runtime gives."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, base_quantizer, quantize_dynamic

from suite.quantization.quick_channels import quick_channels


def product(weights):
    """A graph of one MatMul with stored weights [inputs, outputs]."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", weights.shape[0]])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", weights.shape[1]])
    node = helper.make_node("MatMul", ["x", "w"], ["y"], name="product")
    graph = helper.make_graph([node], "g", [x], [y], [numpy_helper.from_array(weights, "w")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def stored_by(model, path, **options):
    quantize_dynamic(model, path, per_channel=True, **options)
    return {one.name: numpy_helper.to_array(one) for one in onnx.load(path).graph.initializer}


def weights():
    drawn = np.random.default_rng(0).normal(size=(40, 24)).astype(np.float32)
    drawn[:, 3] = 0.0  # no range
    drawn[:, 4] = np.abs(drawn[:, 4]) + 1  # positive alone
    drawn[:, 5] = -np.abs(drawn[:, 5])
    drawn[:, 6] *= np.float32(1e-40)  # below the smallest normal number
    drawn[0, 7] = 1e6  # one outlier
    return drawn


@pytest.mark.parametrize("reduce_range", [False, True])
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("kind", [QuantType.QInt8, QuantType.QUInt8])
def test_the_integers_scales_and_zero_points_are_those_of_the_library(
    tmp_path, kind, symmetric, reduce_range
):
    told = {
        "weight_type": kind,
        "reduce_range": reduce_range,
        "extra_options": {"WeightSymmetric": symmetric},
    }
    plain = stored_by(product(weights()), tmp_path / "plain.onnx", **told)
    with quick_channels():
        quick = stored_by(product(weights()), tmp_path / "quick.onnx", **told)
    assert plain.keys() == quick.keys()
    for name, array in plain.items():
        assert (array.dtype, array.shape) == (quick[name].dtype, quick[name].shape)
        np.testing.assert_array_equal(array, quick[name])


def test_the_library_rounds_no_channel_itself_within_the_block_and_all_behind_it(
    tmp_path, monkeypatch
):
    seen, rounds = [], base_quantizer.quantize_data
    monkeypatch.setattr(
        base_quantizer, "quantize_data", lambda *a, **k: seen.append(1) or rounds(*a, **k)
    )
    told = {"weight_type": QuantType.QInt8}
    with quick_channels():
        stored_by(product(weights()), tmp_path / "quick.onnx", **told)
    assert seen == []
    stored_by(product(weights()), tmp_path / "plain.onnx", **told)
    assert len(seen) == 24


def test_a_range_that_somebody_gives_is_left_to_the_library(tmp_path):
    given = {"TensorQuantOverrides": {"w": [{"axis": 1, "rmin": -1.0, "rmax": 1.0}]}}
    told = {"weight_type": QuantType.QInt8, "extra_options": given}
    plain = stored_by(product(weights()), tmp_path / "plain.onnx", **told)
    with quick_channels():
        quick = stored_by(product(weights()), tmp_path / "quick.onnx", **told)
    for name, array in plain.items():
        np.testing.assert_array_equal(array, quick[name])
