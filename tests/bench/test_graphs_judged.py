"""The static count of multiply-accumulates against a run of the same graph that counts what was multiplied."""

import numpy as np
import onnx
import pytest
from graph_judge import RULES, by_reference, by_runtime
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh
from onnx.backend.test.case.node import collect_testcases

from bench.onnx_graph.operators import reason_not_counted
from bench.onnx_graph.read import read
from bench.onnx_graph.reasons import AXIS

MS = "com.microsoft"
DICE = np.random.default_rng(0)


def weight(name, *shape, kind=np.float32):
    return nh.from_array(DICE.normal(size=shape).astype(kind), name)


def number(name, value, kind=np.int64):
    return nh.from_array(np.array(value, kind), name)


def port(name, *shape, kind=T.FLOAT):
    return h.make_tensor_value_info(name, kind, shape)


def model_of(nodes, inputs, outputs, stored=(), *, opset=21, functions=(), sparse=()):
    graph = h.make_graph(nodes, "g", inputs, outputs, list(stored), sparse_initializer=list(sparse))
    domains = (
        {"": opset} | {n.domain: 1 for n in nodes if n.domain} | {f.domain: 1 for f in functions}
    )
    return h.make_model(
        graph,
        opset_imports=[h.make_opsetid(d, v) for d, v in domains.items()],
        functions=list(functions),
        ir_version=10,
    )


def op(operator, inputs, outputs, **attributes):
    return h.make_node(
        operator, inputs.split(",") if inputs else [], outputs.split(","), **attributes
    )


CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


def one(operator, shapes, *, stored=(), outputs=1, opset=21, domain="", kinds=None, **attributes):
    """One node on inputs of these shapes, then those that are stored."""
    names = [f"x{n}" if shape is not None else "" for n, shape in enumerate(shapes)]
    kinds = kinds or [T.FLOAT] * len(shapes)
    node = h.make_node(
        operator,
        [*names, *(t.name for t in stored)],
        [f"y{n}" for n in range(outputs)],
        domain=domain,
        **attributes,
    )
    ports = [port(n, *s, kind=k) for n, s, k in zip(names, shapes, kinds, strict=True) if n]
    ends = [h.make_empty_tensor_value_info(f"y{n}") for n in range(outputs)]
    return model_of([node], ports, ends, stored, opset=opset)


SIMPLE = {
    "conv": lambda: one(
        "Conv", [(2, 3, 9, 8)], stored=[weight("w", 4, 3, 3, 3)], pads=[1, 1, 1, 1]
    ),
    "conv_1d_strided": lambda: one(
        "Conv", [(2, 3, 30)], stored=[weight("w", 4, 3, 5)], strides=[3]
    ),
    "conv_3d": lambda: one("Conv", [(1, 2, 5, 6, 7)], stored=[weight("w", 4, 2, 2, 2, 2)]),
    "conv_grouped": lambda: one("Conv", [(1, 8, 6, 6)], stored=[weight("w", 8, 2, 3, 3)], group=4),
    "conv_dilated": lambda: one(
        "Conv", [(1, 2, 12, 12)], stored=[weight("w", 3, 2, 3, 3)], dilations=[2, 2]
    ),
    "conv_transposed": lambda: one(
        "ConvTranspose", [(2, 4, 5, 5)], stored=[weight("w", 4, 3, 3, 3)], strides=[2, 2]
    ),
    "gemm": lambda: one("Gemm", [(5, 6)], stored=[weight("w", 6, 7)]),
    "gemm_flipped": lambda: one("Gemm", [(6, 5)], stored=[weight("w", 7, 6)], transA=1, transB=1),
    "matmul": lambda: one("MatMul", [(5, 6)], stored=[weight("w", 6, 7)]),
    "matmul_batched": lambda: one("MatMul", [(2, 1, 5, 6), (3, 6, 4)]),
    "matmul_of_vectors": lambda: one("MatMul", [(6,), (6,)]),
    "matmul_of_a_vector": lambda: one("MatMul", [(6,), (2, 6, 5)]),
    "matmul_with_a_vector": lambda: one("MatMul", [(2, 5, 6), (6,)]),
    "matmul_of_integers": lambda: one("MatMulInteger", [(5, 6), (6, 7)], kinds=[T.UINT8, T.INT8]),
    "einsum": lambda: one("Einsum", [(2, 3, 5), (2, 5, 4)], equation="bij,bjk->bik"),
    "einsum_with_an_ellipsis": lambda: one(
        "Einsum", [(2, 3, 4, 5), (5, 6)], equation="...i,ij->...j"
    ),
    "einsum_broadcast": lambda: one(
        "Einsum", [(2, 1, 4, 5), (3, 5, 6)], equation="...ij,...jk->...ik"
    ),
    "einsum_of_everything": lambda: one("Einsum", [(3, 4), (4, 3)], equation="ij,ji"),
    "einsum_outer": lambda: one("Einsum", [(3,), (4,)], equation="i,j->ij"),
    "lstm": lambda: one(
        "LSTM", [(7, 2, 5)], stored=[weight("w", 1, 24, 5), weight("r", 1, 24, 6)], hidden_size=6
    ),
    "gru": lambda: one(
        "GRU", [(7, 2, 5)], stored=[weight("w", 1, 18, 5), weight("r", 1, 18, 6)], hidden_size=6
    ),
    "rnn": lambda: one(
        "RNN", [(7, 2, 5)], stored=[weight("w", 1, 6, 5), weight("r", 1, 6, 6)], hidden_size=6
    ),
    "attention": lambda: one("Attention", [(2, 4, 5, 8), (2, 4, 7, 8), (2, 4, 7, 6)], opset=23),
    "attention_flat": lambda: one(
        "Attention", [(2, 5, 32), (2, 7, 16), (2, 7, 16)], opset=23, q_num_heads=4, kv_num_heads=2
    ),
    "attention_with_a_past": lambda: one(
        "Attention",
        [(2, 4, 5, 8), (2, 4, 7, 8), (2, 4, 7, 8), None, (2, 4, 3, 8), (2, 4, 3, 8)],
        opset=23,
        outputs=3,
    ),
    "deformable_conv": lambda: one(
        "DeformConv",
        [(1, 4, 8, 8)],
        stored=[weight("w", 6, 4, 3, 3), weight("o", 1, 18, 8, 8)],
        opset=22,
        kernel_shape=[3, 3],
        pads=[1, 1, 1, 1],
    ),
    "causal_conv": lambda: one(
        "CausalConvWithState", [(1, 8, 16)], stored=[weight("w", 8, 1, 4)], outputs=2, opset=27
    ),
    "linear_attention": lambda: one(
        "LinearAttention",
        [(2, 5, 24), (2, 5, 12), (2, 5, 20)],
        outputs=2,
        opset=27,
        q_num_heads=4,
        kv_num_heads=2,
        update_rule="linear",
    ),
    "affine_grid": lambda: one(
        "AffineGrid", [(2, 2, 3)], stored=[number("s", [2, 3, 5, 6])], opset=20
    ),
    "nothing": lambda: one("Relu", [(3, 4)]),
}


@case
def branches_of_one_size():
    sides = {
        f"{side}_branch": h.make_graph([op("MatMul", "x,w", side)], side, [], [port(side, 1, 8)])
        for side in ("then", "else")
    }
    return model_of(
        [op("If", "c", "y", **sides)],
        [port("c", kind=T.BOOL), port("x", 1, 8)],
        [port("y", 1, 8)],
        [weight("w", 8, 8)],
    )


@case
def a_branch_whose_condition_is_stored():
    small = h.make_graph([op("Relu", "x", "a")], "small", [], [port("a", 1, 8)])
    large = h.make_graph([op("MatMul", "x,w", "b")], "large", [], [port("b", 1, 8)])
    return model_of(
        [op("If", "c", "y", then_branch=small, else_branch=large)],
        [port("x", 1, 8)],
        [port("y", 1, 8)],
        [weight("w", 8, 8), number("c", True, bool)],
    )


def loop_body(*nodes, state, more_outputs=(), name="body"):
    ports = [port("i", kind=T.INT64), port("go", kind=T.BOOL), *state]
    return h.make_graph(
        [*nodes, op("Identity", "go", "on")],
        name,
        ports,
        [port("on", kind=T.BOOL), *more_outputs],
    )


@case
def a_loop_with_a_stored_limit():
    body = loop_body(
        op("MatMul", "s,w", "t"), state=[port("s", 1, 8)], more_outputs=[port("t", 1, 8)]
    )
    return model_of(
        [op("Loop", "n,go0,x", "y", body=body)],
        [port("x", 1, 8)],
        [port("y", 1, 8)],
        [weight("w", 8, 8), number("n", 10), number("go0", True, bool)],
    )


@case
def a_loop_whose_limit_is_a_shape():
    body = loop_body(
        op("MatMul", "s,w", "t"), state=[port("s", 1, 8)], more_outputs=[port("t", 1, 8)]
    )
    nodes = [
        op("Shape", "x", "sh"),
        op("Gather", "sh,one", "n", axis=0),
        op("Loop", "n,go0,x", "y", body=body),
    ]
    return model_of(
        nodes,
        [port("x", 1, 8)],
        [port("y", 1, 8)],
        [weight("w", 8, 8), number("one", 1), number("go0", True, bool)],
    )


@case
def a_loop_in_a_loop():
    inner = h.make_graph(
        [op("MatMul", "s2,w", "t2"), op("Identity", "g2", "o2")],
        "inner",
        [port("i2", kind=T.INT64), port("g2", kind=T.BOOL), port("s2", 1, 8)],
        [port("o2", kind=T.BOOL), port("t2", 1, 8)],
    )
    body = loop_body(
        op("Loop", "m,go0,s", "t", body=inner),
        state=[port("s", 1, 8)],
        more_outputs=[port("t", 1, 8)],
    )
    return model_of(
        [op("Loop", "n,go0,x", "y", body=body)],
        [port("x", 1, 8)],
        [port("y", 1, 8)],
        [weight("w", 8, 8), number("n", 3), number("go0", True, bool), number("m", 4)],
    )


@case
def a_loop_whose_state_grows():
    body = h.make_graph(
        [op("Concat", "s,x", "t", axis=0), op("MatMul", "t,w", "p"), op("Identity", "go", "on")],
        "body",
        [port("i", kind=T.INT64), port("go", kind=T.BOOL), port("s", None, 8)],
        [port("on", kind=T.BOOL), port("t", None, 8)],
    )
    return model_of(
        [op("Loop", "n,go0,x", "y", body=body)],
        [port("x", 2, 8)],
        [port("y", None, 8)],
        [weight("w", 8, 8), number("n", 5), number("go0", True, bool)],
    )


@case
def a_loop_that_ends_by_its_own_count():
    body = h.make_graph(
        [op("MatMul", "s,w", "t"), op("Less", "i,last", "on")],
        "body",
        [port("i", kind=T.INT64), port("go", kind=T.BOOL), port("s", 1, 8)],
        [port("on", kind=T.BOOL), port("t", 1, 8)],
    )
    return model_of(
        [op("Loop", ",go0,x", "y", body=body)],
        [port("x", 1, 8)],
        [port("y", 1, 8)],
        [weight("w", 8, 8), number("last", 6), number("go0", True, bool)],
    )


@case
def a_loop_of_no_pass():
    body = loop_body(
        op("MatMul", "s,w", "t"), state=[port("s", 1, 8)], more_outputs=[port("t", 1, 8)]
    )
    return model_of(
        [op("Loop", "n,go0,x", "y", body=body)],
        [port("x", 1, 8)],
        [port("y", 1, 8)],
        [weight("w", 8, 8), number("n", 0), number("go0", True, bool)],
    )


@case
def what_a_loop_gathers_is_multiplied_behind_it():
    body = loop_body(
        op("Relu", "s", "t"),
        op("Identity", "t", "r"),
        state=[port("s", 8)],
        more_outputs=[port("t", 8), port("r", 8)],
    )
    return model_of(
        [op("Loop", "n,go0,x", "e,rows", body=body), op("MatMul", "rows,w", "y")],
        [port("x", 8)],
        [port("y", None, 8)],
        [weight("w", 8, 8), number("n", 6), number("go0", True, bool)],
    )


def scanned(axis=0):
    body = h.make_graph(
        [op("MatMul", "s,w", "a"), op("Add", "a,x", "t"), op("Identity", "t", "o")],
        "body",
        [port("s", 1, 8), port("x", 1, 8)],
        [port("t", 1, 8), port("o", 1, 8)],
    )
    shape = [1, 8]
    shape.insert(axis, 6)
    options = {"scan_input_axes": [axis]} if axis else {}
    node = op("Scan", "s0,xs", "sn,ys", body=body, num_scan_inputs=1, **options)
    return model_of(
        [node],
        [port("s0", 1, 8), port("xs", *shape)],
        [port("sn", 1, 8), port("ys", 6, 1, 8)],
        [weight("w", 8, 8)],
    )


CASES["a_scan"] = scanned


@case
def a_function_of_the_file():
    function = h.make_function(
        "own",
        "Twice",
        ["a"],
        ["c"],
        [
            op("Constant", "", "w", value=weight("w", 8, 8)),
            op("MatMul", "a,w", "b"),
            op("MatMul", "b,w", "c"),
        ],
        [h.make_opsetid("", 21)],
    )
    nodes = [op("Twice", "x", "h", domain="own"), op("Twice", "h", "y", domain="own")]
    return model_of(nodes, [port("x", 3, 8)], [port("y", 3, 8)], functions=[function])


@case
def a_shape_that_the_graph_computes():
    nodes = [
        op("Shape", "x", "sh"),
        op("Gather", "sh,zero", "b", axis=0),
        op("Mul", "b,two", "b2"),
        op("Unsqueeze", "b2,at", "b3"),
        op("ReduceProd", "sh", "all", keepdims=1),
        op("Div", "all,b3", "rest"),
        op("Concat", "b3,rest", "to", axis=0),
        op("Reshape", "x,to", "r"),
        op("MatMul", "r,w", "y"),
    ]
    return model_of(
        nodes,
        [port("x", 4, 6, 2)],
        [port("y", None, None)],
        [weight("w", 6, 5), number("zero", 0), number("two", 2), number("at", [0])],
    )


@case
def an_expand_as_torch_exports_it():
    nodes = [
        op("ConstantOfShape", "k", "ones", value=h.make_tensor("v", T.INT64, [1], [1])),
        op("Mul", "ones,minus", "neg"),
        op("Equal", "want,neg", "same"),
        op("Where", "same,ones,want", "to"),
        op("Expand", "x,to", "e"),
        op("MatMul", "e,w", "y"),
    ]
    return model_of(
        nodes,
        [port("x", 1, 5, 6)],
        [port("y", None, None, None)],
        [weight("w", 6, 4), number("k", [3]), number("minus", -1), number("want", [7, -1, -1])],
    )


@case
def a_resize_by_a_computed_scale():
    nodes = [
        op("Div", "a,b", "scales"),
        op("Resize", "x,,scales", "r", mode="nearest"),
        op("Conv", "r,w", "y"),
    ]
    return model_of(
        nodes,
        [port("x", 1, 2, 4, 4)],
        [port("y", None, None, None, None)],
        [
            weight("w", 3, 2, 3, 3),
            number("a", [1, 1, 4, 4], np.float32),
            number("b", [1, 1, 2, 2], np.float32),
        ],
    )


@case
def a_range_of_stored_ends():
    nodes = [
        op("Range", "zero,n,one", "r"),
        op("Cast", "r", "f", to=T.FLOAT),
        op("Unsqueeze", "f,at", "u"),
        op("MatMul", "u,w", "y"),
    ]
    return model_of(
        nodes,
        [],
        [port("y", None, 8)],
        [weight("w", 1, 8), number("zero", 0), number("n", 9), number("one", 1), number("at", [1])],
    )


MICROSOFT = {
    "mha": lambda: one(
        "MultiHeadAttention", [(2, 5, 32), (2, 7, 32), (2, 7, 32)], domain=MS, num_heads=4
    ),
    "mha_with_a_past": lambda: one(
        "MultiHeadAttention",
        [(1, 1, 32)] * 3 + [None] * 3 + [(1, 4, 15, 8)] * 2,
        domain=MS,
        num_heads=4,
        outputs=3,
    ),
    "packed_attention": lambda: one(
        "Attention",
        [(2, 5, 32)],
        stored=[weight("w", 32, 96), weight("b", 96)],
        domain=MS,
        num_heads=4,
    ),
    "gqa": lambda: one(
        "GroupQueryAttention",
        [(1, 6, 64), (1, 6, 32), (1, 6, 32), None, None],
        stored=[number("l", [5], np.int32), number("t", 6, np.int32)],
        domain=MS,
        num_heads=4,
        kv_num_heads=2,
        outputs=3,
    ),
    "gqa_with_a_past": lambda: one(
        "GroupQueryAttention",
        [(1, 1, 64), (1, 1, 32), (1, 1, 32), (1, 2, 9, 16), (1, 2, 9, 16)],
        stored=[number("l", [9], np.int32), number("t", 10, np.int32)],
        domain=MS,
        num_heads=4,
        kv_num_heads=2,
        outputs=3,
    ),
    "n_bits": lambda: one(
        "MatMulNBits",
        [(3, 64)],
        stored=[nh.from_array(np.zeros((16, 2, 16), np.uint8), "q"), weight("s", 32)],
        domain=MS,
        K=64,
        N=16,
        bits=4,
        block_size=32,
    ),
    "fused_matmul": lambda: one("FusedMatMul", [(2, 6, 5), (2, 6, 7)], domain=MS, transA=1),
    "fused_gemm": lambda: one(
        "FusedGemm", [(5, 6)], stored=[weight("w", 6, 7)], domain=MS, activation="Relu"
    ),
    "fused_conv": lambda: one(
        "FusedConv", [(1, 3, 8, 8)], stored=[weight("w", 4, 3, 3, 3)], domain=MS, activation="Relu"
    ),
    "dynamic_matmul": lambda: one(
        "DynamicQuantizeMatMul",
        [(5, 6)],
        stored=[nh.from_array(np.ones((6, 7), np.int8), "w"), number("s", 0.5, np.float32)],
        domain=MS,
    ),
}


@pytest.fixture(scope="module", autouse=True)
def _quiet():
    with np.errstate(all="ignore"):
        yield


def random_feeds(model, sizes=None):
    dice = np.random.default_rng(1)
    stored = {t.name for t in model.graph.initializer}
    feeds = {}
    for value in model.graph.input:
        if value.name in stored:
            continue
        tensor = value.type.tensor_type
        shape = [
            d.dim_value
            if d.HasField("dim_value") and d.dim_value >= 0
            else (sizes or {}).get(d.dim_param) or (sizes or {}).get(f"{value.name}:{n}", 1)
            for n, d in enumerate(tensor.shape.dim)
        ]
        kind = h.tensor_dtype_to_np_dtype(tensor.elem_type)
        feeds[value.name] = (
            dice.integers(0, 2, shape).astype(kind)
            if kind.kind in "biu"
            else dice.normal(size=shape).astype(kind)
        )
    return feeds


def counted(tmp_path, model, **options):
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    return read(path, **options)


@pytest.mark.parametrize("name", [*SIMPLE, *CASES])
def test_the_count_is_that_of_a_run_of_the_reference(tmp_path, name):
    model = {**SIMPLE, **CASES}[name]()
    graph = counted(tmp_path, model)
    assert graph.uncounted == ()
    assert graph.macs == by_reference(model, random_feeds(model))


@pytest.mark.parametrize("name", MICROSOFT)
def test_the_count_of_contrib_operators_is_that_of_a_run_of_onnx_runtime(tmp_path, name):
    model = MICROSOFT[name]()
    graph = counted(tmp_path, model)
    assert graph.uncounted == ()
    assert graph.macs == by_runtime(model, random_feeds(model))
    assert graph.macs > 0


@pytest.mark.parametrize("name", ["mha", "mha_with_a_past", "packed_attention", "gqa", "n_bits"])
def test_shapes_go_on_behind_contrib_operators(tmp_path, name):
    model = MICROSOFT[name]()
    model.opset_import[0].version = 21
    width = counted(tmp_path, model).nodes[0].outputs[0].shape[-1]
    model.graph.node.append(op("MatMul", "y0,v", "z"))
    model.graph.initializer.append(weight("v", width, 3))
    model.graph.output.append(h.make_empty_tensor_value_info("z"))
    graph = counted(tmp_path, model)
    assert graph.uncounted == ()
    assert graph.macs == by_runtime(model, random_feeds(model))


def test_a_loop_without_a_start_condition_runs_as_one_that_starts(tmp_path):
    model = a_loop_with_a_stored_limit()
    expected = by_reference(model, random_feeds(model))
    model.graph.node[0].input[1] = (
        ""  # the reference takes that for false; ONNX says that it is true
    )
    assert counted(tmp_path, model).macs == expected > 0


def test_a_scan_along_another_axis_runs_as_often(tmp_path):
    model = scanned()
    other = counted(tmp_path, scanned(1))  # the reference knows the first axis alone
    assert other.macs == by_reference(model, random_feeds(model)) > 0


def two_branches():
    small = h.make_graph([op("MatMul", "x,v", "a")], "small", [], [port("a", 1, 4)])
    large = h.make_graph([op("MatMul", "x,w", "b")], "large", [], [port("b", 1, 8)])
    return model_of(
        [op("If", "c", "y", name="choice", then_branch=small, else_branch=large)],
        [port("c", kind=T.BOOL), port("x", 1, 8)],
        [port("y", 1, None)],
        [weight("w", 8, 8), weight("v", 8, 4)],
    )


def test_of_two_branches_the_larger_is_counted_and_that_is_said(tmp_path):
    model = two_branches()
    graph = counted(tmp_path, model)
    runs = [
        by_reference(model, {"c": np.array(c), "x": np.ones((1, 8), np.float32)})
        for c in (True, False)
    ]
    assert graph.macs == max(runs)
    assert graph.num_choices == 1
    assert {n.key: n.is_alternative for n in graph.nodes if n.macs} == {
        "choice/then_branch/MatMul #0": True,
        "choice/else_branch/MatMul #0": False,
    }


OPEN = {}


def opened(reason):
    def keep(function):
        OPEN[function.__name__] = (function, reason)
        return function

    return keep


@opened("depends on the data: NonZero nz")
def rows_that_are_not_zero():
    nodes = [
        op("NonZero", "x", "i", name="nz"),
        op("Transpose", "i", "t"),
        op("Cast", "t", "f", to=T.FLOAT),
        op("MatMul", "f,w", "y"),
    ]
    return model_of(nodes, [port("x", 3, 4)], [port("y", None, 5)], [weight("w", 2, 5)])


@opened(f"{AXIS}x:1")
def an_axis_without_a_name():
    return model_of(
        [op("MatMul", "x,w", "y")],
        [port("x", 2, None, 4)],
        [port("y", 2, None, 5)],
        [weight("w", 4, 5)],
    )


@opened(f"{AXIS}length")
def an_axis_with_a_name():
    return model_of(
        [op("MatMul", "x,w", "y")],
        [port("x", "batch", "length", 4)],
        [port("y", None, None, 5)],
        [weight("w", 4, 5)],
    )


@opened(f"{AXIS}length")
def a_shape_computed_from_an_open_axis():
    nodes = [
        op("Shape", "x", "sh"),
        op("ReduceProd", "sh", "n", keepdims=1),
        op("ConstantOfShape", "n", "z"),
        op("Unsqueeze", "z,at", "u"),
        op("MatMul", "u,w", "y"),
    ]
    return model_of(
        nodes,
        [port("x", 2, "length")],
        [port("y", None, 5)],
        [weight("w", 1, 5), number("at", [1])],
    )


@opened("how often loop runs depends on the data")
def a_loop_whose_limit_is_an_input():
    body = loop_body(
        op("MatMul", "s,w", "t"), state=[port("s", 1, 8)], more_outputs=[port("t", 1, 8)]
    )
    return model_of(
        [h.make_node("Loop", ["n", "", "x"], ["y"], name="loop", body=body)],
        [port("n", kind=T.INT64), port("x", 1, 8)],
        [port("y", 1, 8)],
        [weight("w", 8, 8)],
    )


@opened(f"{AXIS}length")
def a_scan_along_an_open_axis():
    model = scanned()
    model.graph.input[1].type.tensor_type.shape.dim[0].dim_param = "length"
    return model


@opened("nothing is known of own::Secret")
def an_operator_that_nobody_knows():
    nodes = [h.make_node("Secret", ["x"], ["h"], domain="own"), op("MatMul", "h,w", "y")]
    return model_of(nodes, [port("x", 2, 4)], [port("y", None, 5)], [weight("w", 4, 5)])


@opened("DFT multiplies, and has no formula here")
def a_fourier_transform():
    return one("DFT", [(1, 8, 1)], opset=20)


@pytest.mark.parametrize("name", OPEN)
def test_what_is_open_is_said_with_its_true_reason(tmp_path, name):
    make, reason = OPEN[name]
    graph = counted(tmp_path, make())
    assert graph.num_uncounted > 0
    assert reason in graph.uncounted


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("an_axis_without_a_name", {"x:1": 7}),
        ("an_axis_with_a_name", {"batch": 2, "length": 3}),
        ("a_shape_computed_from_an_open_axis", {"length": 6}),
        ("a_scan_along_an_open_axis", {"length": 9}),
    ],
)
def test_what_an_axis_leaves_open_is_counted_once_it_has_a_size(tmp_path, name, sizes):
    model = OPEN[name][0]()
    graph = counted(tmp_path, model, sizes=sizes)
    assert graph.uncounted == ()
    assert graph.macs == by_reference(model, random_feeds(model, sizes))


PRODUCTS = {name for _, name in RULES} | {"If", "Loop", "Scan"}


@pytest.mark.slow
def test_onnx_own_cases_of_operators_that_multiply_are_counted_as_they_run(tmp_path):
    """Hundreds of small graphs with loops, branches and functions written out, and the inputs that belong to them."""
    cases = [
        case
        for case in collect_testcases(None)
        if case.model and any(node.op_type in PRODUCTS for node in case.model.graph.node)
    ]
    num_equal = 0
    for case in cases:
        graph = counted(tmp_path, case.model)
        names = [value.name for value in case.model.graph.input]
        try:
            run = by_reference(case.model, dict(zip(names, case.data_sets[0][0], strict=False)))
        except RuntimeError:  # the reference does not do all that ONNX allows
            continue
        if graph.num_uncounted:  # the inputs tell a shape
            assert graph.macs <= run, case.name
            assert all("depends on the data" in reason for reason in graph.uncounted), case.name
        else:
            assert graph.macs == run, case.name
            num_equal += 1
    assert num_equal >= 0.95 * len(cases) > 100


@pytest.mark.parametrize(
    "domain", ["", "ai.onnx.ml", "ai.onnx.preview", "ai.onnx.preview.training"]
)
def test_every_operator_of_onnx_has_a_formula_or_stands_in_a_table(domain):
    """An operator that a later onnx adds fails here until somebody has decided."""
    for schema in onnx.defs.get_all_schemas():
        if schema.domain == domain:
            name = f"{domain}::{schema.name}" if domain else schema.name
            assert not reason_not_counted(name).startswith("nothing is known"), name


def test_an_operator_of_another_domain_is_not_taken_for_the_one_of_that_name():
    assert reason_not_counted("own::MatMul") == "nothing is known of own::MatMul"
    assert reason_not_counted("com.microsoft::Attention") == ""
    assert reason_not_counted("com.microsoft::BeamSearch").startswith("nothing is known")


def test_a_size_for_an_axis_that_has_one_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="x0:1=5: that axis has the size 6"):
        counted(tmp_path, SIMPLE["matmul"](), sizes={"x0:1": 5})


def test_an_axis_with_a_name_can_be_chosen_by_its_place_too(tmp_path):
    graph = counted(tmp_path, an_axis_with_a_name(), sizes={"x:0": 2, "x:1": 3})
    assert (graph.macs, graph.uncounted) == (2 * 3 * 4 * 5, ())
