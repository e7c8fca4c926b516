"""Weights of two graphs: dequantized, matched, compared."""

import numpy as np
import onnx
import pytest
from graph_files import net, save, value
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from bench.graph_diff.weights import compare_files
from bench.onnx_graph.distribution import histogram_text, histograms_of
from bench.onnx_graph.errors import GraphError
from bench.onnx_graph.read import read
from bench.onnx_graph.weights import Weights, dequantized
from suite.sparkline import draw_counts


def compared(before, after):
    return compare_files(read(before), read(after))


def rows(difference):
    return {t.name: t for t in difference.tensors}


def test_the_same_weights_are_equal(tmp_path):
    difference = compared(net(tmp_path / "a.onnx"), net(tmp_path / "b.onnx"))
    assert difference.is_empty
    assert all(t.is_equal and t.max_abs == 0 for t in difference.tensors)
    assert {t.cosine for t in difference.tensors} == {1.0}


def test_changed_weights_are_told_in_numbers(tmp_path):
    before, after = net(tmp_path / "a.onnx"), net(tmp_path / "b.onnx")
    model = onnx.load(after)
    tensor = next(t for t in model.graph.initializer if t.name == "conv.weight")
    changed = onnx.numpy_helper.to_array(tensor).copy()
    changed[2, 1, 0, 0] += 0.5
    tensor.CopyFrom(onnx.numpy_helper.from_array(changed, tensor.name))
    onnx.save(model, after)
    difference = compared(before, after)
    row = rows(difference)["conv.weight"]
    assert row.max_abs == pytest.approx(0.5)
    assert row.mean_abs == pytest.approx(0.5 / changed.size)
    assert 0.99 < row.cosine < 1
    assert difference.tensors[0] is row
    assert not difference.is_empty


def test_a_place_tells_where_the_own_bytes_of_a_tensor_are(tmp_path):
    numbers = np.arange(12, dtype=np.float32).reshape(3, 4)
    typed = helper.make_tensor("typed", 1, [3, 4], numbers.reshape(-1).tolist())
    wide = helper.make_tensor(
        "wide", onnx.TensorProto.INT8, [2], [1, -2]
    )  # four bytes each in the file
    text = helper.make_tensor("text", onnx.TensorProto.STRING, [1], [b"abc"])
    short = numpy_helper.from_array(numbers, "short")
    short.raw_data = short.raw_data[:-4]
    empty = numpy_helper.from_array(numbers[:0], "empty")
    stored = [numpy_helper.from_array(numbers, "raw"), typed, wide, text, short, empty]
    identity = [helper.make_node("Identity", ["x"], ["y"])]
    ends = [[value(name, [1])] for name in "xy"]
    path = tmp_path / "a.onnx"
    onnx.save(helper.make_model(helper.make_graph(identity, "graph", *ends, stored)), path)
    graph, content = read(path), path.read_bytes()
    places = {t.name: t.place.content for t in graph.tensors}
    assert {name for name, at in places.items() if at is not None} == {"raw", "typed"}
    with Weights(path, graph) as weights:
        for name in ("raw", "typed"):
            at = places[name]
            assert content[at : at + numbers.nbytes] == numbers.tobytes()
            assert (weights.array(name) == numbers).all()
        assert weights.array("wide").tolist() == [1, -2]
        with pytest.raises(GraphError, match="44 bytes, expected 48"):
            weights.array("short")


def test_a_pruned_tensor_is_told_as_changed_in_shape(tmp_path):
    difference = compared(net(tmp_path / "a.onnx"), net(tmp_path / "b.onnx", width=6))
    row = rows(difference)["conv.weight"]
    assert row.note == "changed in shape: 8×3×3×3 to 6×3×3×3"
    assert row.max_abs is None
    assert {c.before.key for c in difference.changed} >= {"conv", "relu", "pool"}


def test_tensors_of_one_side_alone_are_added_or_removed(tmp_path):
    before, after = net(tmp_path / "a.onnx"), net(tmp_path / "b.onnx", bias=False)
    assert compared(before, after).tensors_removed == ("conv.bias",)
    assert compared(after, before).tensors_added == ("conv.bias",)


@pytest.mark.parametrize("fill", [np.nan, np.inf])
def test_nan_and_infinity_are_noted_and_compared_without_numbers(tmp_path, fill):
    def one(name, extra):
        weights = {"w": np.array([1.0, fill, extra], np.float32)}
        return save(tmp_path / name, [helper.make_node("Mul", ["x", "w"], ["y"], name="m")],
                    weights=weights)  # fmt: skip

    (row,) = compared(one("a.onnx", 2.0), one("b.onnx", 3.0)).tensors
    assert not row.is_equal
    assert row.max_abs is None
    assert row.note == "holds NaN or infinity"
    (row,) = compared(one("a.onnx", 2.0), one("c.onnx", 2.0)).tensors
    assert row.is_equal


def quantized(array, axis=None, *, dtype=np.int8):
    """(integers, scale, zero point), symmetric."""
    over = None if axis is None else tuple(n for n in range(array.ndim) if n != axis)
    scale = (np.abs(array).max(axis=over) / 127).astype(np.float32)
    shape = [1] * array.ndim
    if axis is not None:
        shape[axis] = -1
    spread = scale.reshape(shape) if axis is not None else scale
    return np.round(array / spread).astype(dtype), scale, np.zeros_like(scale, dtype)


WEIGHT = np.random.default_rng(1).normal(size=(8, 3, 3, 3)).astype(np.float32)
MATRIX = np.random.default_rng(2).normal(size=(12, 8)).astype(np.float32)


def conv(path, *, layout):
    """The same convolution as float, QDQ, QLinearConv or ConvInteger."""
    q, scale, zero = quantized(WEIGHT, 0)
    one = {"s": np.float32(0.1), "z": np.int8(0)}
    attributes = {"name": "conv_quant" if layout != "float" else "conv", "pads": [1, 1, 1, 1]}
    stored = {"w_quantized": q, "w_scale": scale, "w_zero_point": zero}
    match layout:
        case "float":
            nodes, weights = (
                [helper.make_node("Conv", ["x", "w"], ["y"], **attributes)],
                {"w": WEIGHT},
            )
        case "qdq":
            attributes["name"] = "conv"
            weights = {**stored, **one}
            nodes = [
                helper.make_node("QuantizeLinear", ["x", "s", "z"], ["x_quantized"], name="xq"),
                helper.make_node("DequantizeLinear", ["x_quantized", "s", "z"], ["xd"], name="xd"),
                helper.make_node(
                    "DequantizeLinear", ["w_quantized", "w_scale", "w_zero_point"], ["wd"],
                    name="wd", axis=0,
                ),
                helper.make_node("Conv", ["xd", "wd"], ["y"], **attributes),
            ]  # fmt: skip
        case "qlinear":
            weights = {**stored, **one}
            nodes = [
                helper.make_node("QuantizeLinear", ["x", "s", "z"], ["x_quantized"], name="xq"),
                helper.make_node(
                    "QLinearConv",
                    ["x_quantized", "s", "z", "w_quantized", "w_scale", "w_zero_point", "s", "z"],
                    ["y_quantized"],
                    **attributes,
                ),
                helper.make_node("DequantizeLinear", ["y_quantized", "s", "z"], ["y"], name="yd"),
            ]
        case "integer":
            q, scale, zero = quantized(WEIGHT)
            weights = {"w_quantized": q, "w_scale": scale, "w_zero_point": zero}
            nodes = [
                helper.make_node("DynamicQuantizeLinear", ["x"], ["xi", "xs", "xz"], name="xq"),
                helper.make_node(
                    "ConvInteger", ["xi", "w_quantized", "xz", "w_zero_point"], ["yi"], **attributes
                ),
                helper.make_node("Cast", ["yi"], ["y"], name="cast", to=1),
            ]
    ends = [value(name, ["batch", extent, 16, 16]) for name, extent in (("x", 3), ("y", 8))]
    return save(path, nodes, weights=weights, inputs=ends[:1], outputs=ends[1:])


@pytest.mark.parametrize("layout", ["qdq", "qlinear", "integer"])
def test_int8_weights_are_compared_in_the_float_domain_however_they_are_stored(tmp_path, layout):
    before = conv(tmp_path / "float.onnx", layout="float")
    after = conv(tmp_path / f"{layout}.onnx", layout=layout)
    difference = compared(before, after)
    row = rows(difference)["w"]
    largest = np.abs(WEIGHT).max() / 127 / 2
    assert row.is_dequantized == (False, True)
    assert row.dtypes == ("float", "int8")
    assert 0 < row.max_abs <= largest * 1.001
    assert row.cosine > 0.9999
    assert row.snr_db > 35
    assert "w_scale" in difference.quantization_parameters
    assert not difference.tensors_added
    assert read(after).macs == read(before).macs == 16 * 16 * 8 * 27
    assert not any(n.operator.endswith("Conv") for n in difference.added + difference.removed)


def test_a_transposed_copy_is_compared_as_what_it_stands_for(tmp_path):
    q, scale, zero = quantized(MATRIX.T.copy(), 1)
    before = save(
        tmp_path / "a.onnx",
        [helper.make_node("Gemm", ["x", "fc.weight"], ["y"], name="fc", transB=1)],
        weights={"fc.weight": MATRIX}, inputs=[value("x", ["batch", 8])],
    )  # fmt: skip
    after = save(
        tmp_path / "b.onnx",
        [
            helper.make_node("DynamicQuantizeLinear", ["x"], ["xi", "xs", "xz"], name="xq"),
            helper.make_node(
                "MatMulInteger",
                ["xi", "fc.weight_Transposed_quantized", "xz", "fc.weight_Transposed_zero_point"],
                ["yi"], name="fc_MatMul_quant",
            ),
            helper.make_node("Cast", ["yi"], ["y"], name="cast", to=1),
        ],
        weights={
            "fc.weight_Transposed_quantized": q,
            "fc.weight_Transposed_scale": scale,
            "fc.weight_Transposed_zero_point": zero,
        },
        inputs=[value("x", ["batch", 8])],
    )  # fmt: skip
    row = rows(compared(before, after))["fc.weight"]
    assert row.cosine > 0.9999
    assert row.shapes == ((12, 8), (8, 12))


def test_two_quantized_graphs_are_compared_by_what_their_integers_mean(tmp_path):
    def scaled(name, factor):
        stored = {
            "w_quantized": np.full((8, 8), 10 * factor, np.int8),
            "w_scale": np.float32(0.2 / factor),
            "w_zero_point": np.int8(0),
        }
        nodes = [
            helper.make_node("DequantizeLinear", list(stored), ["w"], name="d"),
            helper.make_node("MatMul", ["x", "w"], ["y"], name="m"),
        ]
        inputs = [value("x", ["batch", 8])]
        return save(tmp_path / name, nodes, weights=stored, inputs=inputs)

    row = rows(compared(scaled("a.onnx", 1), scaled("b.onnx", 2)))["w_quantized"]
    assert row.is_dequantized == (True, True)
    assert row.max_abs == pytest.approx(0, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([None, 0, 1]),
    st.sampled_from([np.int8, np.uint8]),
)
def test_dequantizing_is_what_the_formula_says(seed, axis, dtype):
    rng = np.random.default_rng(seed)
    info = np.iinfo(dtype)
    array = rng.integers(info.min, info.max, (4, 6), dtype=dtype, endpoint=True)
    size = () if axis is None else (array.shape[axis],)
    scale = rng.uniform(0.01, 1, size).astype(np.float32)
    zero = rng.integers(info.min, info.max, size, dtype=dtype, endpoint=True)
    found = dequantized(array, scale, zero, axis if axis is not None else 1)
    spread = [1, 1]
    if axis is not None:
        spread[axis] = -1
    shaped = (scale.reshape(spread), zero.reshape(spread).astype(np.float32))
    assert np.allclose(found, (array.astype(np.float32) - shaped[1]) * shaped[0])


def test_blocks_along_an_axis_share_a_scale():
    array = np.ones((2, 6), np.int8)
    scale = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], np.float32)
    found = dequantized(array, scale, None, 1, 2)
    assert found.tolist() == [[1, 1, 2, 2, 3, 3], [4, 4, 5, 5, 6, 6]]


def test_weights_in_a_second_file_are_compared_and_missed_by_name(tmp_path):
    before = net(tmp_path / "a.onnx", width=64)
    after = tmp_path / "b.onnx"
    onnx.save(
        onnx.load(before), after, save_as_external_data=True, location="b.data", size_threshold=0
    )
    assert compared(before, after).is_empty
    (tmp_path / "b.data").unlink()
    with pytest.raises(GraphError, match=r"b\.onnx.*b\.data is not beside the model"):
        compared(before, after)


def test_weights_outside_the_folder_of_the_model_are_refused(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    source = net(tmp_path / "a.onnx", width=64)
    path = inside / "b.onnx"
    onnx.save(
        onnx.load(source), path, save_as_external_data=True, location="w.data", size_threshold=0
    )
    (inside / "w.data").rename(tmp_path / "w.data")
    raw = path.read_bytes()
    assert b"w.data" in raw
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "../w.data"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(GraphError, match="outside the model's folder"):
        compared(source, path)


def test_a_tensor_that_is_not_there_is_named(tmp_path):
    with (
        Weights(net(tmp_path / "a.onnx")) as weights,
        pytest.raises(GraphError, match="no tensor 'missing'"),
    ):
        weights.array("missing")


def test_histograms_tell_ends_counts_and_what_is_not_finite(tmp_path):
    array = np.concatenate([np.linspace(-1, 1, 63), [np.nan]]).astype(np.float32)
    path = save(tmp_path / "a.onnx", [helper.make_node("Mul", ["x", "w"], ["y"], name="m")],
                weights={"w": array, "few": np.ones(3, np.float32)})  # fmt: skip
    found = histograms_of(path, bins=7)
    assert set(found) == {"w"}
    assert (found["w"].low, found["w"].high, sum(found["w"].counts)) == (-1, 1, 63)
    assert found["w"].num_other == 1
    assert histogram_text(found["w"]) == "-1 ████████"[:10] + " 1, 1 NaN or infinite"


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=50))
def test_a_sparkline_has_a_bar_for_each_number_and_shows_all_that_is_not_zero(counts):
    bars = draw_counts(counts)
    assert len(bars) == len(counts)
    for bar, count in zip(bars, counts, strict=True):
        assert (bar == "▁") == (count == 0)
    if max(counts):
        assert bars[counts.index(max(counts))] == "█"


@pytest.mark.parametrize("quant_type", [0, 1])
def test_bnb4_weights_are_compared_as_the_numbers_that_onnx_runtime_multiplies(
    tmp_path, quant_type
):
    import onnxruntime as ort

    num_in, num_out, block = 64, 6, 16
    dice = np.random.default_rng(quant_type)
    codes = dice.integers(0, 256, num_in * num_out // 2, np.uint8)
    scales = dice.random(num_in * num_out // block, np.float32) + 0.5
    node = helper.make_node(
        "MatMulBnb4",
        ["x", "w", "s"],
        ["y"],
        domain="com.microsoft",
        K=num_in,
        N=num_out,
        block_size=block,
        quant_type=quant_type,
    )
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node],
        "g",
        [value("x", onnx.TensorProto.FLOAT, ["n", num_in])],
        [value("y", onnx.TensorProto.FLOAT, ["n", num_out])],
        [numpy_helper.from_array(codes, "w"), numpy_helper.from_array(scales, "s")],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    before, after = tmp_path / "before.onnx", tmp_path / "after.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), after)
    session = ort.InferenceSession(after, providers=["CPUExecutionProvider"])
    (weight,) = session.run(None, {"x": np.eye(num_in, dtype=np.float32)})
    plain = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        graph.input,
        graph.output,
        [numpy_helper.from_array(weight, "w")],
    )
    onnx.save(helper.make_model(plain, opset_imports=opsets, ir_version=10), before)
    (change,) = compare_files(read(before), read(after)).tensors
    assert change.max_abs == pytest.approx(0, abs=1e-6)
    assert change.cosine == pytest.approx(1, abs=1e-6)
