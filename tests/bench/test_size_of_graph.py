"""The size of an ONNX file, which has no module: its own weights and products."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from bench.instruments.size import of_graph
from suite.tasks.batch import Batch


def file_of(path, *, nodes, weights, shape):
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)]), path)
    return path


def sizes(path, batch):
    found = of_graph(path, batch, lambda kind, **data: None)
    return {m.metric: m.samples[0] for m in found.measurements}


@pytest.mark.parametrize("axis", ["rows", None])
def test_weights_are_counted_and_products_at_the_extents_of_the_batch(tmp_path, axis):
    weight = np.ones((6, 4), np.float32)
    path = file_of(
        tmp_path / "net.onnx",
        nodes=[
            helper.make_node("MatMul", ["x", "w"], ["z"]),
            helper.make_node("Reshape", ["z", "shape"], ["y"]),
        ],
        weights={"w": weight, "shape": np.array([-1, 2], np.int64)},
        shape=[axis, 6],
    )
    batch = Batch(inputs={"x": torch.ones(5, 6)}, num_samples=5)
    assert sizes(path, batch) == {"parameters": 24, "parameter_bytes": 96, "macs": 5 * 6 * 4}


def test_a_product_that_cannot_be_counted_leaves_no_count(tmp_path):
    path = file_of(
        tmp_path / "net.onnx",
        nodes=[
            helper.make_node("NonZero", ["x"], ["at"]),
            helper.make_node("Cast", ["at"], ["z"], to=TensorProto.FLOAT),
            helper.make_node("Transpose", ["z"], ["t"]),
            helper.make_node("MatMul", ["t", "w"], ["y"]),
        ],
        weights={"w": np.ones((2, 4), np.float32)},
        shape=[3, 6],
    )
    batch = Batch(inputs={"x": torch.ones(3, 6)}, num_samples=3)
    assert sizes(path, batch) == {"parameters": 8, "parameter_bytes": 32}
