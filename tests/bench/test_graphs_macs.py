"""Multiply-accumulates by closed formulas."""

import pytest

from bench.onnx_graph.call import Call
from bench.onnx_graph.macs import COUNTERS, macs_of

BATCH, LENGTH, WIDTH, HIDDEN = 3, 7, 16, 32


def count(operator, inputs, outputs, **attributes):
    return macs_of(operator, Call(attributes=attributes, inputs=inputs, outputs=outputs))


@pytest.mark.parametrize(
    ("groups", "expected"), [(1, 3 * 8 * 10 * 10 * 4 * 9), (4, 3 * 8 * 100 * 9)]
)
def test_a_convolution_counts_one_filter_for_each_output(groups, expected):
    shapes = [(BATCH, 4, 10, 10), (8, 4 // groups, 3, 3)]
    assert count("Conv", shapes, [(BATCH, 8, 10, 10)], group=groups) == expected


def test_a_transposed_convolution_counts_one_filter_for_each_input():
    shapes = [(BATCH, 16, 5, 5), (16, 8, 4, 4)]
    assert count("ConvTranspose", shapes, [(BATCH, 8, 10, 10)]) == BATCH * 16 * 25 * 8 * 16


@pytest.mark.parametrize(("gates", "operator"), [(1, "RNN"), (3, "GRU"), (4, "LSTM")])
@pytest.mark.parametrize("directions", [1, 2])
def test_a_recurrent_operator_counts_steps_times_directions(gates, operator, directions):
    inputs = [
        (LENGTH, BATCH, WIDTH),
        (directions, gates * HIDDEN, WIDTH),
        (directions, gates * HIDDEN, HIDDEN),
    ]
    expected = LENGTH * BATCH * directions * gates * HIDDEN * (WIDTH + HIDDEN)
    assert count(operator, inputs, [None]) == expected


def test_the_width_of_a_recurrent_input_is_read_from_its_weights():
    inputs = [(LENGTH, BATCH, "?"), (1, 4 * HIDDEN, WIDTH), (1, 4 * HIDDEN, HIDDEN)]
    assert count("LSTM", inputs, [None]) == LENGTH * BATCH * 4 * HIDDEN * (WIDTH + HIDDEN)


def test_quantized_lstm_weights_are_transposed():
    inputs = [(LENGTH, BATCH, WIDTH), (1, WIDTH, 4 * HIDDEN), (1, HIDDEN, 4 * HIDDEN)]
    expected = LENGTH * BATCH * 4 * HIDDEN * (WIDTH + HIDDEN)
    assert count("com.microsoft::DynamicQuantizeLSTM", inputs, [None]) == expected


@pytest.mark.parametrize(
    ("operator", "inputs", "attributes"),
    [
        ("MatMul", [(5, 6, 7), (7, 8)], {}),
        ("MatMul", [None, (7, 8)], {}),
        ("MatMul", [("batch", "?", 7), None], {}),
        ("MatMulInteger", [(5, 6, 7), (7, 8)], {}),
        ("com.microsoft::DynamicQuantizeMatMul", [(5, 6, 7), (7, 8), ()], {}),
        ("QLinearMatMul", [(5, 6, 7), (), (), (7, 8), (), (), (), ()], {}),
        ("Gemm", [(30, 7), (7, 8)], {}),
        ("Gemm", [(7, 30), (8, 7)], {"transA": 1, "transB": 1}),
        ("com.microsoft::QGemm", [(30, 7), (), (), (8, 7)], {"transB": 1}),
        ("MatMulNBits", [(5, 6, 7), (1,)], {"N": 8}),
    ],
)
def test_a_product_counts_results_times_depth(operator, inputs, attributes):
    assert count(operator, inputs, [(30, 8)], **attributes) == 30 * 8 * 7


def test_a_quantized_convolution_counts_like_its_float_one():
    inputs = [(BATCH, 4, 10, 10), (), (), (8, 4, 3, 3), (8,), (8,), (), ()]
    assert count("QLinearConv", inputs, [(BATCH, 8, 10, 10)]) == BATCH * 8 * 100 * 36


def test_an_einsum_counts_the_product_of_its_extents_and_nothing_where_nothing_is_summed():
    shapes = [(2, 3, 5), (2, 7, 5)]
    assert count("Einsum", shapes, [(2, 3, 7)], equation="bij,bkj->bik") == 2 * 3 * 5 * 7
    assert count("Einsum", shapes, [None], equation="bij, bkj") == 2 * 3 * 5 * 7
    assert count("Einsum", [(3,), (4,)], [(3, 4)], equation="i,j->ij") == 0
    assert count("Einsum", [(3, 4)], [(4, 3)], equation="ij->ji") == 0


def test_attention_counts_both_products():
    expected = 2 * 4 * LENGTH * 9 * (16 + 8)
    heads = [(2, 4, LENGTH, 16), (2, 4, 9, 16), (2, 4, 9, 8)]
    assert count("Attention", heads, [None]) == expected
    flat = [(2, LENGTH, 64), (2, 9, 64), (2, 9, 32)]
    assert count("Attention", flat, [None], q_num_heads=4, kv_num_heads=4) == expected
    assert count("com.microsoft::MultiHeadAttention", flat, [None], num_heads=4) == expected


def test_onnx_runtimes_attention_counts_its_projection_too():
    projected = 2 * LENGTH * 16 * 48
    products = 2 * LENGTH * LENGTH * 32
    shapes = [(2, LENGTH, 16), (16, 48)]
    assert count("com.microsoft::Attention", shapes, [None]) == projected + products


def test_element_wise_work_counts_nothing_even_where_shapes_are_open():
    assert count("Relu", [("batch", 3)], [None]) == 0
    assert count("my.domain::Whatever", [], []) == 0


@pytest.mark.parametrize("operator", sorted(COUNTERS))
def test_open_shapes_are_none_and_never_zero(operator):
    open_shape = ("batch", "?", "?")
    call = {"equation": "bij,bjk->bik", "N": 4, "q_num_heads": 2, "kv_num_heads": 2}
    assert count(operator, [open_shape] * 9, [open_shape], **call) is None
    assert count(operator, [None] * 9, [None], **call) is None
    assert count(operator, [], [], **call) is None
