"""Invented graphs of kinds that exporters write: counted as they run, and another graph with any one byte changed."""

import numpy as np
import onnx
import pytest
from graph_judge import by_reference, by_runtime
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh
from test_graphs_bytes import flip, tensors_in
from test_graphs_judged import counted, model_of, number, one, op, port, random_feeds

from bench.graph_diff.weights import compare_files
from bench.onnx_graph.errors import GraphError
from bench.onnx_graph.read import read

MS = "com.microsoft"


def weight(name, *shape, seed=0):
    dice = np.random.default_rng([seed, *shape])
    return nh.from_array(dice.normal(size=shape).astype(np.float32), name)


def codes(name, *shape, seed=0):
    return nh.from_array(np.random.default_rng(seed).integers(0, 256, shape, np.uint8), name)


def body(nodes, inputs, outputs, stored=(), name="body"):
    return h.make_graph(nodes, name, inputs, outputs, list(stored))


LOOP = (port("i", kind=T.INT64), port("g", kind=T.BOOL))
ON = (op("Identity", "g", "on"), port("on", kind=T.BOOL))


def a_branch_in_a_loop_in_a_scan():
    then = body([op("MatMul", "r,aw", "a")], [], [port("a", 1, 8)], [weight("aw", 8, 8)])
    other = body([op("Relu", "r", "b")], [], [port("b", 1, 8)])
    inner = body(
        [op("If", "yes", "t", then_branch=then, else_branch=other), ON[0]],
        [*LOOP, port("r", 1, 8)],
        [ON[1], port("t", 1, 8)],
    )
    outer = body(
        [op("Loop", "m,yes,s", "v", body=inner), op("Add", "v,x", "u"), op("Identity", "u", "o")],
        [port("s", 1, 8), port("x", 1, 8)],
        [port("u", 1, 8), port("o", 1, 8)],
    )
    return model_of(
        [op("Scan", "s0,xs", "sn,ys", body=outer, num_scan_inputs=1)],
        [port("s0", 1, 8), port("xs", 5, 1, 8)],
        [port("sn", 1, 8), port("ys", 5, 1, 8)],
        [number("m", 3), number("yes", True, bool)],
    )


def a_branch_that_the_number_of_the_pass_tells():
    then = body([op("MatMul", "s,w", "a")], [], [port("a", 1, 8)])
    other = body([op("Relu", "s", "b")], [], [port("b", 1, 8)])
    inside = body(
        [
            op("Mod", "i,two", "r"),
            op("Equal", "r,zero", "c"),
            op("If", "c", "t", then_branch=then, else_branch=other),
            ON[0],
        ],
        [*LOOP, port("s", 1, 8)],
        [ON[1], port("t", 1, 8)],
    )
    return model_of(
        [op("Loop", "n,yes,x", "y", body=inside)],
        [port("x", 1, 8)],
        [port("y", 1, 8)],
        [
            weight("w", 8, 8),
            number("n", 7),
            number("yes", True, bool),
            number("two", 2),
            number("zero", 0),
        ],
    )


def a_branch_in_a_function():
    then = body([op("MatMul", "a,w", "t")], [], [h.make_empty_tensor_value_info("t")])
    other = body([op("Identity", "a", "e")], [], [h.make_empty_tensor_value_info("e")])
    nodes = [
        op("Constant", "", "w", value=weight("", 8, 8)),
        op("Constant", "", "k", value=number("", True, bool)),
        op("If", "k", "c", then_branch=then, else_branch=other),
    ]
    function = h.make_function("own", "F", ["a"], ["c"], nodes, [h.make_opsetid("", 21)])
    call = op("F", "x", "y", domain="own")
    return model_of([call], [port("x", 3, 8)], [port("y", 3, 8)], functions=[function])


def a_scan_along_two_inputs():
    nodes = [
        op("MatMul", "a,w", "p"),
        op("Sum", "p,b,s", "t"),
        op("Identity", "t", "o"),
    ]
    ends = [port("t", 1, 8), port("o", 1, 8)]
    inside = body(nodes, [port("s", 1, 8), port("a", 1, 8), port("b", 1, 8)], ends)
    return model_of(
        [
            op("Scan", "s0,xs,zs", "sn,ys", body=inside, num_scan_inputs=2),
            op("Reshape", "ys,to", "r"),
            op("MatMul", "r,w", "y"),
        ],
        [port("s0", 1, 8), port("xs", 6, 1, 8), port("zs", 6, 1, 8)],
        [port("sn", 1, 8), port("y", 6, 8)],
        [weight("w", 8, 8), number("to", [-1, 8])],
    )


def tensors_joined_from_a_sequence():
    nodes = [
        op("SequenceEmpty", "", "none"),
        op("SequenceInsert", "none,x", "s1"),
        op("SequenceInsert", "s1,x", "s2"),
        op("ConcatFromSequence", "s2", "c", axis=-2),
        op("MatMul", "c,w", "y"),
    ]
    return model_of(nodes, [port("x", 6, 8)], [port("y", None, None)], [weight("w", 8, 8)])


def tensors_stacked_from_a_sequence():
    nodes = [
        op("SequenceConstruct", "x,x,x", "s"),
        op("ConcatFromSequence", "s", "c", axis=0, new_axis=1),
        op("MatMul", "c,w", "y"),
    ]
    return model_of(nodes, [port("x", 6, 8)], [port("y", None, None, None)], [weight("w", 8, 8)])


def blocks_of_int4():
    packed = onnx.TensorProto(name="q", data_type=T.INT4, dims=(8, 8), raw_data=bytes(range(32)))
    nodes = [op("DequantizeLinear", "q,s", "w", axis=0, block_size=4), op("MatMul", "x,w", "y")]
    return model_of(nodes, [port("x", 2, 8)], [port("y", 2, 8)], [packed, weight("s", 2, 8)])


def weights_through_a_cast():
    half = nh.from_array(nh.to_array(weight("", 5, 8)).astype(np.float16))
    nodes = [
        op("Constant", "", "half", value=half),
        op("Cast", "half", "w", to=T.FLOAT),
        op("Gemm", "x,w", "y", transB=1),
    ]
    return model_of(nodes, [port("x", 3, 8)], [port("y", 3, 5)])


def sizes_through_slice_tile_pad_and_topk():
    nodes = [
        op("Slice", "x,from,to,axes,step", "z"),
        op("Tile", "z,times", "a"),
        op("Pad", "a,pads", "b"),
        op("TopK", "b,k", "v,i", axis=0),
        op("MatMul", "v,w", "y"),
    ]
    stored = [number("from", [-1]), number("to", [-9]), number("axes", [0]), number("step", [-2])]
    stored += [number("times", [4, 1]), number("pads", [1, 0, 2, 0]), number("k", [7])]
    return model_of(nodes, [port("x", 9, 8)], [port("y", None, None)], [*stored, weight("w", 8, 8)])


GRAPHS = {
    function.__name__: function
    for function in (
        a_branch_in_a_loop_in_a_scan,
        a_branch_that_the_number_of_the_pass_tells,
        a_branch_in_a_function,
        a_scan_along_two_inputs,
        tensors_joined_from_a_sequence,
        tensors_stacked_from_a_sequence,
        blocks_of_int4,
        weights_through_a_cast,
        sizes_through_slice_tile_pad_and_topk,
    )
} | {
    "einsum_without_an_arrow": lambda: one("Einsum", [(2, 3, 5), (5, 4)], equation="bij,jk"),
    "einsum_of_rows": lambda: one("Einsum", [(3, 4), (3, 4)], equation="ij,ij->i"),
    "einsum_with_spaces": lambda: one("Einsum", [(2, 3, 4), (2, 4, 5)], equation=" b i j , bjk "),
    "deformable_conv_in_groups": lambda: one(
        "DeformConv",
        [(1, 4, 8, 8)],
        stored=[weight("w", 6, 2, 3, 3), weight("o", 1, 36, 6, 6), weight("b", 6)],
        opset=19,
        group=2,
        offset_group=2,
    ),
    "transposed_conv_3d": lambda: one(
        "ConvTranspose", [(1, 2, 3, 4, 5)], stored=[weight("w", 2, 3, 2, 2, 2)]
    ),
    "attention_with_shared_keys": lambda: one(
        "Attention", [(2, 8, 5, 8), (2, 2, 7, 8), (2, 2, 7, 8)], opset=23, is_causal=1
    ),
    "flat_attention_with_a_past": lambda: one(
        "Attention",
        [(2, 5, 32), (2, 7, 16), (2, 7, 16), None, (2, 2, 3, 8), (2, 2, 3, 8)],
        opset=24,
        outputs=3,
        q_num_heads=4,
        kv_num_heads=2,
    ),
    "linear_attention_by_the_delta_rule": lambda: one(
        "LinearAttention",
        [(2, 5, 24), (2, 5, 12), (2, 5, 20), None, (2, 5, 2), (2, 5, 2)],
        outputs=2,
        opset=27,
        q_num_heads=4,
        kv_num_heads=2,
    ),
    "lstm_both_ways": lambda: one(
        "LSTM",
        [(7, 2, 5)],
        stored=[weight("w", 2, 24, 5), weight("r", 2, 24, 6)],
        outputs=3,
        hidden_size=6,
        direction="bidirectional",
    ),
    "product_of_no_row": lambda: one("MatMul", [(0, 4), (4, 5)]),
}


def bits(width, *, has_zeros):
    per_byte = 8 // width
    stored = [codes("q", 16, 2, 32 // per_byte), weight("s", 32)]
    if has_zeros:
        stored.append(codes("z", 16 * ((2 + per_byte - 1) // per_byte), seed=1))
    options = {"K": 64, "N": 16, "bits": width, "block_size": 32}
    return one("MatMulNBits", [(3, 64)], stored=stored, domain=MS, **options)


BY_RUNTIME = {
    "4_bits_with_zero_points": lambda: bits(4, has_zeros=True),
    "8_bits_with_zero_points": lambda: bits(8, has_zeros=True),
    "2_bits": lambda: bits(2, has_zeros=False),
    "attention_over_wider_values": lambda: one(
        "MultiHeadAttention", [(2, 5, 32), (2, 7, 32), (2, 7, 48)], domain=MS, num_heads=4
    ),
    "attention_over_keys_by_head": lambda: one(
        "MultiHeadAttention", [(2, 5, 32), (2, 4, 7, 8), (2, 4, 7, 8)], domain=MS, num_heads=4
    ),
    "packed_attention_with_wider_values": lambda: one(
        "Attention",
        [(2, 5, 32)],
        stored=[weight("w", 32, 112), weight("b", 112)],
        domain=MS,
        num_heads=4,
        qkv_hidden_sizes=[32, 32, 48],
    ),
    "packed_grouped_attention_with_a_past": lambda: one(
        "GroupQueryAttention",
        [(1, 1, 128), None, None, (1, 2, 9, 16), (1, 2, 9, 16)],
        stored=[number("l", [9], np.int32), number("t", 10, np.int32)],
        domain=MS,
        outputs=3,
        num_heads=4,
        kv_num_heads=2,
    ),
}


@pytest.mark.parametrize("name", [*GRAPHS, *BY_RUNTIME])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_an_invented_graph_is_counted_as_it_runs(tmp_path, name):
    model = {**GRAPHS, **BY_RUNTIME}[name]()
    judge = by_runtime if name in BY_RUNTIME else by_reference
    graph = counted(tmp_path, model)
    assert graph.uncounted == ()
    assert graph.num_choices == 0
    assert graph.macs == judge(model, random_feeds(model))


@pytest.mark.parametrize("name", [*GRAPHS, *BY_RUNTIME])
def test_one_byte_of_any_weight_of_an_invented_graph_makes_it_another(tmp_path, name):
    model = {**GRAPHS, **BY_RUNTIME}[name]()
    onnx.save(model, tmp_path / "a.onnx")
    before = read(tmp_path / "a.onnx")
    for place in range(len(list(tensors_in(model)))):
        other = onnx.ModelProto()
        other.CopyFrom(model)
        flip(other, place, 17 * place, 1 + place)
        onnx.save(other, tmp_path / "b.onnx")
        try:
            is_same = compare_files(before, read(tmp_path / "b.onnx")).is_empty
        except GraphError:  # such as a shape that is none now
            is_same = False
        assert not is_same


def test_a_sequence_that_a_loop_fills_is_named_as_what_is_open(tmp_path):
    nodes = [
        h.make_node("SplitToSequence", ["x"], ["s"], name="split", axis=0),
        op("ConcatFromSequence", "s", "c", axis=0),
        op("MatMul", "c,w", "y"),
    ]
    model = model_of(nodes, [port("x", 6, 8)], [port("y", None, None)], [weight("w", 8, 8)])
    graph = counted(tmp_path, model)
    assert graph.num_uncounted == 1
    assert graph.uncounted == ("the tensors of a sequence are not followed: SplitToSequence split",)
