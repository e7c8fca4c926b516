"""Numbers that are fed to a graph of which only its inputs are known."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

import onnx
from onnx import TensorProto, helper

from bench.graph_analysis.running import random_feeds, working_feeds

INTEGERS, FLOATS = TensorProto.INT64, TensorProto.FLOAT


def saved(folder, inputs, nodes, outputs):
    ports = [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs]
    ends = [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs]
    graph = helper.make_graph(nodes, "g", ports, ends)
    opset = [helper.make_opsetid("", 20)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), folder / "g.onnx")
    return folder / "g.onnx"


def language_model(folder, total):
    """Keys behind those of the cache, masked: it runs only if the mask is as long as both."""
    inputs = [
        ("input_ids", INTEGERS, [1, "new"]),
        ("attention_mask", INTEGERS, [1, total]),
        ("past_key_values.0.key", FLOATS, [1, "2", "past", "4"]),
    ]
    nodes = [
        helper.make_node("Cast", ["input_ids"], ["ids"], to=FLOATS),
        helper.make_node("Constant", [], ["heads"], value_ints=[1, 1, -1, 1]),
        helper.make_node("Reshape", ["ids", "heads"], ["column"]),
        helper.make_node("Constant", [], ["widths"], value_ints=[1, 2, 1, 4]),
        helper.make_node("Tile", ["column", "widths"], ["new_keys"]),
        helper.make_node("Concat", ["past_key_values.0.key", "new_keys"], ["keys"], axis=2),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=FLOATS),
        helper.make_node("Reshape", ["mask", "heads"], ["masked"]),
        helper.make_node("Mul", ["keys", "masked"], ["y"]),
    ]
    return saved(folder, inputs, nodes, [("y", FLOATS)])


@pytest.mark.parametrize("total", ["s3", "total_sequence_length", "past + new", "past+new"])
def test_the_mask_of_a_cache_is_as_long_as_the_cache_and_the_new_tokens(tmp_path, total):
    feeds = working_feeds(language_model(tmp_path, total), {"past": 5, "new": 3})
    assert feeds["input_ids"].shape == (1, 3)
    assert feeds["past_key_values.0.key"].shape == (1, 2, 5, 4)
    assert feeds["attention_mask"].tolist() == [[1] * 8]  # a mask of zeros would let nothing in


def test_a_mask_whose_extent_is_given_keeps_it(tmp_path):
    path = language_model(tmp_path, "total")
    assert random_feeds(path, {"total": 40})["attention_mask"].shape == (1, 40)
    assert random_feeds(path, {"attention_mask:1": 41})["attention_mask"].shape == (1, 41)


def test_a_mask_without_a_cache_is_as_long_as_the_text(tmp_path):
    inputs = [("input_ids", INTEGERS, ["batch", "n"]), ("attention_mask", INTEGERS, ["batch", "n"])]
    path = saved(
        tmp_path,
        inputs,
        [helper.make_node("Mul", ["input_ids", "attention_mask"], ["y"])],
        [("y", INTEGERS)],
    )
    assert {array.shape for array in random_feeds(path, {"n": 6}).values()} == {(1, 6)}


def test_an_axis_that_is_named_by_a_number_has_that_extent(tmp_path):
    path = saved(
        tmp_path,
        [("x", FLOATS, ["2", "3", 4])],
        [helper.make_node("Relu", ["x"], ["y"])],
        [("y", FLOATS)],
    )
    assert random_feeds(path, {})["x"].shape == (2, 3, 4)


def test_a_graph_that_runs_with_no_extent_says_what_the_shortest_said(tmp_path):
    table = helper.make_tensor("table", FLOATS, [4], np.zeros(4, np.float32))
    path = saved(
        tmp_path,
        [("x", FLOATS, [1, "n"])],
        [
            helper.make_node("Constant", [], ["table"], value=table),
            helper.make_node("Add", ["x", "table"], ["y"]),
        ],
        [("y", FLOATS)],
    )
    with pytest.raises(Exception, match="8"):
        working_feeds(path)
