"""Graphs really quantized and run by ONNX Runtime: convolutions, attention, recurrence, embeddings."""

from __future__ import annotations

import time

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quantization_graphs import (
    conv_net,
    enlarger,
    language_model,
    pictures,
    random,
    recurrent,
    sentences,
)

from suite.lifecycle import Quantization
from suite.quantization import prepare
from suite.quantization.dynamic import quantize_dynamic_graph
from suite.quantization.embeddings import quantize_rows
from suite.quantization.errors import QuantizationError
from suite.quantization.prepare import time_limit
from suite.quantization.report import check
from suite.quantization.sessions import run
from suite.quantization.snr import decibels
from suite.quantization.static import CARRIERS, LAYERS, quantize_static_graph, region_of
from suite.quantization.transposed import rewrite_transposed
from suite.quantization.types import S8S8, U8S7, U8S8, measure_types
from suite.results.quantize import CalibrationSize

pytestmark = pytest.mark.heavy

STATIC = Quantization(bytes_left=0.7)  # the nodes of these small graphs weigh, beside few weights
DYNAMIC = Quantization(method="dynamic", bytes_left=0.7)


def quantize(graph, feeds, own=STATIC, **more):
    output = graph.with_name("quantized.onnx")
    more.setdefault("types", U8S7)
    return quantize_static_graph(graph, output, feeds, own, **more), output


def nodes_in(path):
    return [node.op_type for node in onnx.load(path).graph.node]


@pytest.fixture
def net(tmp_path):
    return conv_net(tmp_path / "net.onnx")


@pytest.fixture
def words(tmp_path):
    return language_model(tmp_path / "words.onnx", vocabulary=256, width=64)


def test_a_convolutional_net_runs_in_8_bits_from_its_first_layer_to_its_last(net):
    facts, output = quantize(net, pictures())
    check(facts, STATIC)
    assert facts.count.quantized == {"Conv": 3, "Gemm": 1}
    assert facts.kernels.integer == {"QGemm": 1, "QLinearConv": 3}
    assert facts.kernels.carried == {"QLinearAdd": 1}
    assert facts.kernels.floating == {}
    assert facts.calibration == CalibrationSize(num_feeds=4, num_samples=8)
    assert facts.types.name == "u8s7"
    feed = pictures(1, seed=7)[0]
    (reference,), (actual,) = run(net, feed), run(output, feed)
    assert decibels(reference, actual) > 25
    assert not np.array_equal(reference, actual)


def test_the_quantized_graph_takes_another_number_of_samples(net):
    _, output = quantize(net, pictures(batch=2))
    assert run(output, pictures(1, batch=5)[0])[0].shape == (5, 10)


def test_weights_of_seven_bits_stay_within_64(net):
    _, output = quantize(net, pictures(), types=U8S7)
    weights = [
        onnx.numpy_helper.to_array(t)
        for t in onnx.load(output).graph.initializer
        if t.data_type == onnx.TensorProto.INT8 and len(t.dims) > 1
    ]
    assert max(np.abs(w.astype(int)).max() for w in weights) == 64
    _, output = quantize(net, pictures(), types=U8S8)
    first = onnx.numpy_helper.to_array(
        next(t for t in onnx.load(output).graph.initializer if t.name == "w1_quantized")
    )
    assert np.abs(first.astype(int)).max(axis=(1, 2, 3)).tolist() == [127] * 16  # per channel


def test_a_model_that_loses_too_much_by_the_eighth_bit_keeps_it(net):
    facts, _ = quantize(net, pictures(), keeps_eight_bits=True)
    assert (facts.types.name, facts.types.reduce_range) == ("u8u8", False)
    check(facts, STATIC)
    exact, _ = quantize(net, pictures(), keeps_eight_bits=True, types=U8S8)
    assert exact.types.name == "u8s8", "where eight bits are fast they stay as they are"


def test_an_empty_calibration_set_is_refused(net):
    with pytest.raises(QuantizationError, match=r"net\.onnx: the calibration set is empty"):
        quantize(net, [])


def test_a_feed_with_a_nan_is_refused(net):
    feeds = pictures()
    feeds[2]["x"][1, 0, 3, 3] = np.nan
    with pytest.raises(QuantizationError, match="feed 2 has values in 'x' that are not finite"):
        quantize(net, feeds)


def test_a_feed_without_an_input_of_the_graph_is_refused(net):
    with pytest.raises(QuantizationError, match=r"feed 0 lacks the inputs \['x'\]; it has \['y'\]"):
        quantize(net, [{"y": np.ones(3)}])


def test_what_the_graph_does_not_read_is_left_out(net):
    feeds = [{**feed, "unused": np.ones(3)} for feed in pictures()]
    assert quantize(net, feeds)[0].num_quantized == 4


def test_everything_excluded_leaves_nothing_to_quantize(net):
    with pytest.raises(QuantizationError, match="no operator is left to quantize"):
        quantize(net, pictures(), Quantization(excluded=("op:*",)))


@pytest.mark.parametrize("head", ["head", "fc", "op:Gemm"])
def test_an_excluded_head_stays_in_float(net, head):
    facts, output = quantize(net, pictures(), Quantization(excluded=(head,), bytes_left=1.0))
    assert facts.excluded == ("head",)
    assert facts.count.quantized == {"Conv": 3}
    assert facts.count.floating == {"Gemm": 1}
    tensors = {t.name for t in onnx.load(output).graph.initializer}
    assert "w4" in tensors


def test_the_region_ends_at_the_last_layer(net):
    region = region_of(onnx.load(net), (*LAYERS, *CARRIERS))
    assert region == ["first", "relu_1", "second", "residual", "relu_2", "third", "flat", "head"]
    assert region_of(onnx.load(net), ("Conv",)) == ["first", "second", "third"]
    without_a_way = region_of(onnx.load(net), (*LAYERS, *CARRIERS), ["third"])
    assert without_a_way == ["first", "relu_1", "second", "head"]


def test_products_of_activations_and_what_lies_between_them_stay_float(words):
    region = region_of(onnx.load(words), (*LAYERS, *CARRIERS))
    assert region == [
        "to_q",
        "to_k",
        "to_v",
        "to_o",
    ]  # the last layer's weight is no stored one yet


def test_a_language_model_is_quantized_statically_too(words):
    facts, output = quantize(words, sentences(vocabulary=256))
    assert facts.count.quantized == {"Embedding": 1, "MatMul": 5}
    assert facts.count.without_weights == {"MatMul": 2}
    feed = sentences(1, vocabulary=256, seed=3)[0]
    assert decibels(run(words, feed)[0], run(output, feed)[0]) > 20


def test_a_language_model_is_quantized_dynamically(words):
    output = words.with_name("quantized.onnx")
    facts = quantize_dynamic_graph(words, output, DYNAMIC, types=U8S7)
    check(facts, DYNAMIC)
    assert facts.num_quantized == 5
    assert facts.num_kernels == 5
    assert facts.count.without_weights == {"MatMul": 2}
    assert facts.kernels.floating.get("MatMul", 0) >= 1
    for length in (6, 11):
        feed = sentences(1, length=length, vocabulary=256, seed=3)[0]
        assert decibels(run(words, feed)[0], run(output, feed)[0]) > 20


def test_a_table_tied_to_the_last_layer_is_stored_once(words):
    output = words.with_name("quantized.onnx")
    facts = quantize_dynamic_graph(words, output, DYNAMIC, types=U8S7)
    assert facts.embeddings == ("table",)
    assert facts.count.weight_bytes["int8"] < 256 * 64 + 4 * 64 * 64 + 2000
    assert "Transpose" in nodes_in(output)
    assert facts.bytes.left < 0.4


def test_an_excluded_table_stays_in_float(words):
    output = words.with_name("quantized.onnx")
    own = Quantization(method="dynamic", excluded=("lookup",))
    facts = quantize_dynamic_graph(words, output, own, types=U8S7)
    assert facts.embeddings == ()
    assert facts.count.weight_bytes["float"] > 4 * 256 * 64


def test_modules_are_noted_in_the_quantized_graph(words):
    output = words.with_name("quantized.onnx")
    quantize_dynamic_graph(words, output, DYNAMIC, types=U8S7)
    noted = [n for n in onnx.load(output).graph.node if n.metadata_props]
    kept = {n.name: n.metadata_props[0].value for n in noted}
    assert kept["mix"] == "['', 'model', 'sdpa']"


def test_an_lstm_is_quantized_dynamically(tmp_path):
    graph = recurrent(tmp_path / "lstm.onnx", "LSTM", 4)
    output = tmp_path / "quantized.onnx"
    facts = quantize_dynamic_graph(graph, output, DYNAMIC, types=U8S7)
    check(facts, DYNAMIC)
    assert facts.kernels.integer == {"DynamicQuantizeLSTM": 1}
    feed = {"x": random(5, 2, 32, scale=1.0)}
    assert decibels(run(graph, feed)[0], run(output, feed)[0]) > 20


def test_a_gru_stays_float_and_says_so(tmp_path):
    graph = recurrent(tmp_path / "gru.onnx", "GRU", 3)
    with pytest.raises(QuantizationError, match="no operator is left to quantize"):
        quantize_dynamic_graph(graph, tmp_path / "q.onnx", DYNAMIC, types=U8S7)
    with pytest.raises(
        QuantizationError, match="GRU is not quantized dynamically: .* stays float32"
    ):
        quantize_dynamic_graph(graph, tmp_path / "q.onnx", Quantization(operators=("GRU",)))


def test_a_convolutional_net_is_not_quantized_dynamically_by_mistake(net, tmp_path):
    with pytest.raises(QuantizationError, match=r"89% of the weights lie in Conv, which.*'static'"):
        quantize_dynamic_graph(net, tmp_path / "q.onnx", DYNAMIC, types=U8S7)
    assert not (tmp_path / "q.onnx").exists()


def test_convolutions_are_not_quantized_dynamically_on_purpose_either(net, tmp_path):
    own = Quantization(method="dynamic", operators=("Conv",))
    with pytest.raises(QuantizationError, match="ConvInteger"):
        quantize_dynamic_graph(net, tmp_path / "q.onnx", own)


def test_named_operators_quantize_the_rest_of_a_convolutional_net(net, tmp_path):
    own = Quantization(method="dynamic", operators=("Gemm",))
    facts = quantize_dynamic_graph(net, tmp_path / "q.onnx", own, types=U8S7)
    assert facts.count.quantized == {"MatMulInteger": 1}
    assert list(facts.refused) == ["Conv"]
    with pytest.raises(QuantizationError, match="the graph is smaller"):
        check(facts, own)


def test_types_are_measured_where_flags_do_not_tell(net, monkeypatch):
    monkeypatch.setattr("suite.quantization.static.types_here", lambda: None)
    facts, output = quantize(net, pictures(), types=None)
    measured = facts.measured_types
    assert measured.chosen == facts.types.name
    assert set(measured.seconds) == {"u8s8", "u8s7", "u8u8", "s8s8"}
    assert min(measured.seconds.values()) > 0
    assert output.exists()


def test_measuring_types_takes_something_to_measure(net):
    with pytest.raises(QuantizationError, match="at least one feed and one candidate; got 0 and 1"):
        measure_types(net, [], STATIC, quantize=quantize_static_graph, candidates=[S8S8])


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from(
        [(4, 2, 1), (2, 2, 0), (6, 2, 2), (3, 3, 0), (9, 3, 3), (4, 1, 0), (3, 1, 1), (5, 1, 2)]
    ),
    st.integers(1, 6),
    st.integers(1, 6),
)
def test_transposed_convolutions_become_plain_ones_exactly(tmp_path_factory, shape, height, width):
    if shape[1] == 1 and min(height, width) + shape[0] - 1 <= 2 * shape[2]:
        height = width = 6  # nothing would be left of the output
    folder = tmp_path_factory.mktemp("up")
    graph = enlarger(folder / "up.onnx", *shape, size=(height, width))
    feed = {"x": random(2, 3, height, width, scale=1.0)}
    model = onnx.load(graph)
    assert rewrite_transposed(model) == ["up"]
    onnx.checker.check_model(model)
    onnx.save(model, folder / "plain.onnx")
    assert "ConvTranspose" not in nodes_in(folder / "plain.onnx")
    (before,), (after,) = run(graph, feed), run(folder / "plain.onnx", feed)
    np.testing.assert_allclose(after, before, atol=1e-5)


@pytest.mark.parametrize("shape", [(3, 2, 1), (4, 2, 0), (5, 2, 1), (4, 4, 1)])
def test_transposed_convolutions_of_another_form_are_left_alone(tmp_path, shape):
    model = onnx.load(enlarger(tmp_path / "up.onnx", *shape))
    assert rewrite_transposed(model) == []
    assert [n.op_type for n in model.graph.node] == ["ConvTranspose"]


def test_a_decoder_runs_in_8_bits(tmp_path):
    graph = enlarger(tmp_path / "up.onnx", 4, 2, 1)
    feeds = [{"x": random(2, 3, 5, 6, seed=i, scale=1.0)} for i in range(4)]
    facts, output = quantize(graph, feeds)
    assert facts.rewritten == ("up",)
    assert facts.kernels.integer == {"QLinearConv": 4}
    assert facts.kernels.floating == {}
    assert decibels(run(graph, feeds[0])[0], run(output, feeds[0])[0]) > 25


def test_rows_of_a_table_have_a_scale_each_and_zeros_stay_zeros():
    table = np.array([[1.0, -2.0], [0.0, 0.0], [1e-3, 5e-4]], np.float32)
    values, scales = quantize_rows(table)
    assert values.tolist() == [[64, -127], [0, 0], [127, 64]]
    assert scales.shape == (3, 1)
    np.testing.assert_allclose(values * scales, table, atol=2 / 254)


def test_a_wrong_note_of_a_weights_shape_is_forgotten_and_the_others_stay(net):
    model = onnx.load(net)
    weight, other = model.graph.initializer[0].name, model.graph.node[0].output[0]
    for name in (weight, other):
        model.graph.value_info.append(
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1] * 6)
        )
    prepare.forget_shapes(model, {weight})
    assert [value.name for value in model.graph.value_info][-1] == other
    assert weight not in {value.name for value in model.graph.value_info}


def test_outputs_keep_the_shapes_that_the_graph_declares(net):
    original, model = onnx.load(net), onnx.load(net)
    wrong = onnx.helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, [1] * 6)
    model.graph.output[0].type.CopyFrom(wrong)
    onnx.save(model, net)
    with pytest.raises(onnx.shape_inference.InferenceError, match="rank"):
        onnx.checker.check_model(str(net), full_check=True)
    prepare.restore_outputs(original, model)
    onnx.save(model, net)
    onnx.checker.check_model(str(net), full_check=True)


def test_work_without_an_end_is_given_one_and_what_swallows_it_is_told_again():
    told = []

    def swallows_the_first() -> None:
        while len(told) < 2:
            try:
                time.sleep(5)
            except TimeoutError as error:
                told.append(error)
        raise told[-1]

    with pytest.raises(TimeoutError, match=r"longer than 0\.05 s"), time_limit(0.05):
        swallows_the_first()
    with time_limit(0.05):
        pass
    time.sleep(0.1)  # nothing is left of it


def test_shapes_that_take_too_long_as_formulas_are_inferred_without(net, tmp_path, monkeypatch):
    import onnxruntime.quantization as engine

    original = engine.quant_pre_process

    def endless(*args, skip_symbolic_shape=False, **more):
        if not skip_symbolic_shape:
            time.sleep(30)
        original(*args, skip_symbolic_shape=skip_symbolic_shape, **more)

    monkeypatch.setattr(engine, "quant_pre_process", endless)
    monkeypatch.setattr(prepare, "SYMBOLIC_SECONDS", 0.1)
    facts = prepare.prepare(net, tmp_path).preparation
    assert facts.symbolic_shapes is False
    assert "TimeoutError" in facts.symbolic_failure
