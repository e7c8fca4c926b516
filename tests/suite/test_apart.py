"""Weights in a file beside their graph, moved there without being read."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from importlib import import_module

import numpy as np
import onnx
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from quantization_graphs import language_model, recurrent

from suite.lifecycle import Quantization
from suite.quantization import dynamic
from suite.quantization.apart import LARGE, PAGE, set_apart
from suite.quantization.beside import weights_beside
from suite.quantization.dynamic import quantize_dynamic_graph
from suite.quantization.sessions import run
from suite.quantization.types import U8S7

pytestmark = pytest.mark.heavy


def tensors(path):
    return {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}


@pytest.fixture
def graph(tmp_path):
    return language_model(tmp_path / "net.onnx", vocabulary=512, width=128)


def test_a_graph_without_its_weights_is_small_and_answers_the_same(graph, tmp_path):
    small = set_apart(graph, tmp_path)
    assert small.stat().st_size < 4096 < graph.stat().st_size
    feed = {"ids": np.arange(12).reshape(2, 6)}
    np.testing.assert_array_equal(run(graph, feed)[0], run(small, feed)[0])


def test_every_tensor_node_and_module_is_kept(graph, tmp_path):
    small = set_apart(graph, tmp_path)
    before, after = onnx.load(graph), onnx.load(small)
    assert list(before.graph.node) == list(after.graph.node)
    assert list(before.graph.input) == list(after.graph.input)
    assert list(before.opset_import) == list(after.opset_import)
    held, kept = tensors(graph), tensors(small)
    assert held.keys() == kept.keys()
    for name, values in held.items():
        np.testing.assert_array_equal(values, kept[name])


def test_small_tensors_stay_in_the_graph_where_tools_see_their_values(tmp_path):
    graph = recurrent(tmp_path / "lstm.onnx", "LSTM", 4)
    small = onnx.load(set_apart(graph, tmp_path), load_external_data=False)
    assert all(not tensor.external_data for tensor in small.graph.initializer)


def test_tensors_begin_at_pages_so_that_they_can_be_mapped(graph, tmp_path):
    small = onnx.load(set_apart(graph, tmp_path), load_external_data=False)
    found = [
        {entry.key: entry.value for entry in tensor.external_data}
        for tensor in small.graph.initializer
        if tensor.external_data
    ]
    assert len(found) == 5
    assert all(int(place["offset"]) % PAGE == 0 for place in found)
    assert all(int(place["length"]) >= LARGE for place in found)


def test_a_graph_whose_weights_lie_elsewhere_already_is_left_as_it_is(graph, tmp_path):
    beside = tmp_path / "beside.onnx"
    onnx.save(onnx.load(graph), beside, save_as_external_data=True, location="weights.bin")
    assert set_apart(beside, tmp_path) == beside


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_file_that_is_cut_off_or_no_graph_is_refused_and_never_read_on(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("cut")
    whole = language_model(folder / "net.onnx", vocabulary=64, width=32).read_bytes()
    length = data.draw(st.integers(0, len(whole) - 1))
    cut = folder / "cut.onnx"
    cut.write_bytes(whole[:length])
    with suppress(ValueError, DecodeError):
        small = set_apart(cut, folder)
        onnx.load(small)  # cut between two fields of the model: a file like any other


def test_a_quantizer_that_reads_weights_one_by_one_writes_the_same_numbers(
    graph, tmp_path, monkeypatch
):
    settings = Quantization(method="dynamic")
    one_by_one, at_once = tmp_path / "one_by_one.onnx", tmp_path / "at_once.onnx"
    quantize_dynamic_graph(graph, one_by_one, settings, types=U8S7)
    monkeypatch.setattr(dynamic, "weights_beside", lambda folder: nullcontext())
    quantize_dynamic_graph(graph, at_once, settings, types=U8S7)
    held, kept = tensors(at_once), tensors(one_by_one)
    assert held.keys() == kept.keys()
    for name, values in held.items():
        np.testing.assert_array_equal(values, kept[name])


def test_within_the_block_no_weight_is_loaded_and_after_it_the_library_is_as_before(
    graph, tmp_path
):
    module = import_module("onnxruntime.quantization.quantize")
    small = set_apart(graph, tmp_path)
    before = module.load_model_with_shape_infer, onnx.numpy_helper.to_array
    with weights_beside(tmp_path):
        model = module.load_model_with_shape_infer(small)
        assert model.ByteSize() < LARGE
        table = next(t for t in model.graph.initializer if t.name == "table")
        assert onnx.numpy_helper.to_array(table).shape == (512, 128)
    assert (module.load_model_with_shape_infer, onnx.numpy_helper.to_array) == before
