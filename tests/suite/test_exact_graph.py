"""The float64 judge pads like ONNX Runtime does, also where the graph leaves the padding to the runtime."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

from suite.stages.export.exact_graph import exact_outputs

HELP = onnx.helper
FLOAT = onnx.TensorProto.FLOAT


def convolution(path, shape, kernel, **attributes):
    """Save a graph of one Conv over an input of that shape; returns the input."""
    draw = np.random.default_rng(0)
    weight = draw.normal(size=(2, shape[1], *kernel)).astype(np.float32)
    graph = HELP.make_graph(
        [HELP.make_node("Conv", ["x", "w"], ["y"], **attributes)],
        "convolution",
        [HELP.make_tensor_value_info("x", FLOAT, shape)],
        [HELP.make_tensor_value_info("y", FLOAT, None)],
        [onnx.numpy_helper.from_array(weight, "w")],
    )
    model = HELP.make_model(graph, opset_imports=[HELP.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)
    return draw.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("how", ["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"])
@pytest.mark.parametrize(
    ("shape", "kernel", "more"),
    [
        ((1, 3, 8), (3,), {"strides": [2]}),
        ((1, 3, 7, 10), (3, 4), {"strides": [2, 3]}),
        ((1, 3, 5, 6, 7), (2, 3, 2), {}),
    ],
    ids=["one-axis", "strides", "three-axes"],
)
def test_convolution_is_padded_as_the_graph_says(tmp_path, how, shape, kernel, more):
    path = tmp_path / "graph.onnx"
    x = convolution(path, shape, kernel, auto_pad=how, **more)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"x": x})
    (found,) = exact_outputs(path, {"x": x})
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_explicit_padding_may_be_asymmetric_and_the_kernel_dilated(tmp_path):
    path = tmp_path / "graph.onnx"
    x = convolution(path, (1, 3, 7, 9), (3, 3), pads=[0, 1, 2, 3], dilations=[1, 2])
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"x": x})
    (found,) = exact_outputs(path, {"x": x})
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
