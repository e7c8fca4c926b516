"""Two files are called the same only when they are: weights wherever a file keeps them, and any one byte of them."""

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh

from bench.__main__ import main
from bench.graph_diff.compare import compare
from bench.graph_diff.weights import compare_files
from bench.onnx_graph.errors import GraphError
from bench.onnx_graph.read import read
from bench.onnx_graph.weights import Weights

MS = "com.microsoft"


PACKED = {
    T.INT4: 4,
    T.UINT4: 4,
    T.FLOAT4E2M1: 4,
    T.INT2: 2,
    T.UINT2: 2,
    T.FLOAT6E2M3: 6,
    T.FLOAT6E3M2: 6,
}


def stored(name, *shape, kind=T.FLOAT, dice=None, is_typed=False):
    """A tensor of any type, in raw bytes or in the field for its type."""
    dice = dice or np.random.default_rng(len(name))
    bits = PACKED.get(kind)
    count = int(np.prod(shape))
    size = (count * bits + 7) // 8 if bits else count * h.tensor_dtype_to_np_dtype(kind).itemsize
    raw = dice.integers(0, 256, size, np.uint8)
    if kind in (T.FLOAT, T.FLOAT16, T.DOUBLE, T.BFLOAT16):
        raw = (raw & 0x3F).astype(np.uint8)  # finite
    tensor = onnx.TensorProto(name=name, data_type=kind, dims=shape)
    if not is_typed:
        tensor.raw_data = raw.tobytes()
    elif kind == T.FLOAT:
        tensor.float_data.extend(raw.view(np.float32).tolist())
    elif kind == T.INT64:
        tensor.int64_data.extend(raw.view(np.int64).tolist())
    elif kind == T.DOUBLE:
        tensor.double_data.extend(raw.view(np.float64).tolist())
    else:
        if bits == 6:  # an element each, unlike the other packed types
            raw = dice.integers(0, 64, count, np.uint8)
        tensor.int32_data.extend(raw.tolist() if bits else raw.view(f"u{size // count}").tolist())
    return tensor


def op(operator, inputs, outputs, **attributes):
    return h.make_node(
        operator, inputs.split(",") if inputs else [], outputs.split(","), **attributes
    )


def port(name, *shape, kind=T.FLOAT):
    return h.make_tensor_value_info(name, kind, shape)


def everywhere():
    """A graph with a weight in every place that ONNX has."""
    side = {
        f"{name}_branch": h.make_graph(
            [op("MatMul", f"x,{name}_w", name)],
            name,
            [],
            [port(name, 2, 4)],
            [stored(f"{name}_w", 4, 4)],
        )
        for name in ("then", "else")
    }
    body = h.make_graph(
        [
            op("Constant", "", "lw", value=stored("", 4, 4)),
            op("MatMul", "s,lw", "t"),
            op("Identity", "g", "o"),
        ],
        "body",
        [port("i", kind=T.INT64), port("g", kind=T.BOOL), port("s", 2, 4)],
        [port("o", kind=T.BOOL), port("t", 2, 4)],
    )
    function = h.make_function(
        "own",
        "Layer",
        ["a"],
        ["c"],
        [op("Constant", "", "fw", value=stored("", 4, 4)), op("MatMul", "a,fw", "c")],
        [h.make_opsetid("", 21)],
    )
    blocks = {
        T.INT4: "int4",
        T.UINT4: "uint4",
        T.INT8: "int8",
        T.FLOAT8E4M3FN: "float8",
        T.FLOAT4E2M1: "float4",
    }
    nodes = [
        op("If", "flag", "v0", **side),
        op("Loop", "n,,v0", "v1", body=body),
        op("Layer", "v1", "v2", domain="own"),
        op("Constant", "", "cw", value=stored("", 4, 4)),
        op("MatMul", "v2,cw", "v3"),
        op("Constant", "", "cf", value_floats=[1.0, 2.0, 3.0, 4.0]),
        op("Add", "v3,cf", "v4"),
        op("MatMul", "v4,sparse", "v5"),
        op("MatMul", "v5,typed", "v6"),
        h.make_node(
            "MatMulNBits",
            ["v6", "q", "qs", "qz"],
            ["v7"],
            domain=MS,
            K=4,
            N=4,
            bits=4,
            block_size=16,
        ),
        op("Gather", "half,index", "v8"),
        op("ConstantOfShape", "big", "v9", value=stored("", 1)),
        op("QuantizeLinear", "v7,ys,yz", "v10"),
        op("Cast", "typed16", "v11", to=1),
        op("Cast", "six", "v13", to=1),
        op("Cast", "typed_six", "v14", to=1),
        h.make_node(
            "MatMulBnb4",
            ["v11", "bq", "bs"],
            ["v15"],
            domain=MS,
            K=16,
            N=4,
            block_size=16,
            quant_type=1,
        ),
        op("Identity", "int2", "v12"),
    ]
    tensors = [
        stored("n", 1, kind=T.INT64),
        stored("typed", 4, 4, is_typed=True),
        stored("typed16", 4, 4, kind=T.BFLOAT16, is_typed=True),
        stored("q", 4, 1, 8, kind=T.UINT8),
        stored("qs", 4),
        stored("qz", 4, kind=T.UINT8),
        stored("half", 4, 4, kind=T.FLOAT16),
        stored("index", 3, kind=T.INT64, is_typed=True),
        stored("big", 2, kind=T.INT64),
        stored("ys", 1),
        stored("yz", 1, kind=T.INT8),
        stored("unused_w", 5),
        stored("val_3", 5, kind=T.DOUBLE, is_typed=True),
        stored("int2", 3, 3, kind=T.INT2),
        stored("six", 4, 4, kind=T.FLOAT6E2M3),
        stored("typed_six", 4, 4, kind=T.FLOAT6E3M2, is_typed=True),
        stored("bq", 32, kind=T.UINT8),
        stored("bs", 4),
        stored("truth", 7, kind=T.BOOL),
        stored("waves", 3, kind=T.COMPLEX64),
    ]
    for kind, name in blocks.items():
        nodes.append(op("DequantizeLinear", f"{name},{name}_s", f"{name}_f", axis=0, block_size=2))
        tensors += [stored(name, 4, 4, kind=kind), stored(f"{name}_s", 2, 4)]
    sparse = h.make_sparse_tensor(stored("sparse", 3), stored("", 3, kind=T.INT64), [4, 4])
    sparse.indices.CopyFrom(nh.from_array(np.array([1, 6, 9]), ""))
    graph = h.make_graph(
        nodes,
        "g",
        [port("x", 2, 4), port("flag", kind=T.BOOL)],
        [port("v10", 2, 4, kind=T.INT8)],
        tensors,
        sparse_initializer=[sparse],
    )
    return h.make_model(
        graph,
        functions=[function],
        ir_version=11,
        opset_imports=[h.make_opsetid(d, v) for d, v in (("", 23), ("own", 1), (MS, 1))],
    )


def tensors_in(message):
    """Every TensorProto in a message, however deep."""
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None:
            continue
        for one in value if descriptor.is_repeated else [value]:
            if isinstance(one, onnx.TensorProto):
                yield one
            else:
                yield from tensors_in(one)


def floats_in(message):
    return [a for n in message.graph.node for a in n.attribute if len(a.floats)]


TYPED = {"float_data": "f4", "double_data": "f8", "int64_data": "i8", "int32_data": "u4"}


def flip(message, number, byte, mask):
    """Change one byte of one stored tensor of the message; False where there is none of that number."""
    found = [*tensors_in(message), *floats_in(message)]
    if number >= len(found):
        return False
    tensor = found[number]
    if isinstance(tensor, onnx.AttributeProto):
        content = np.array(tensor.floats, "f4").view(np.uint8)
        content[byte % content.size] ^= mask
        tensor.floats[:] = content.view("f4").tolist()
        return True
    if tensor.raw_data:
        content = bytearray(tensor.raw_data)
        content[byte % len(content)] ^= mask
        if tensor.data_type == T.BOOL:
            content[byte % len(content)] &= 0xFF
        tensor.raw_data = bytes(content)
        return True
    for field, kind in TYPED.items():
        values = getattr(tensor, field)
        if len(values):
            place = byte % len(values)
            before = np.array([values[place]], kind)
            content = before.view(np.uint8).copy()
            width = 2 if tensor.data_type == T.BFLOAT16 else content.size
            if PACKED.get(tensor.data_type) == 6:
                width, mask = 1, mask & 0x3F
            content[byte % width] ^= mask
            values[place] = content.view(kind)[0].item()
            # NaN has many bit patterns, of which Python keeps one: then nothing was changed.
            return np.array([values[place]], kind).tobytes() != before.tobytes()
    raise AssertionError(tensor.name)


NUM_TENSORS = len([*tensors_in(everywhere()), *floats_in(everywhere())])


def test_the_same_file_is_the_same_in_every_place(tmp_path):
    paths = [tmp_path / name for name in ("a.onnx", "b.onnx")]
    for path in paths:
        onnx.save(everywhere(), path)
    difference = compare_files(*map(read, paths))
    assert difference.is_empty
    assert not difference.tensors_added + difference.tensors_removed
    names = {t.name for t in difference.tensors}
    assert {
        "If #0/then_branch/then_w",
        "If #0/else_branch/else_w",
        "Loop #1/body/lw",
        "own::Layer/fw",
        "cw",
        "cf",
        "sparse",
        "typed",
        "val_3",
        "unused_w",
    } <= names
    assert all(t.digests[0].startswith("sha256:") for t in difference.tensors)


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    path = tmp_path_factory.mktemp("before") / "a.onnx"
    onnx.save(everywhere(), path)
    return read(path)


def is_same(before, path):
    try:
        return compare_files(before, read(path)).is_empty
    except GraphError:  # such as indices that point nowhere now
        return False


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(number=st.integers(0, NUM_TENSORS - 1), byte=st.integers(0, 63), mask=st.integers(1, 255))
def test_any_one_byte_of_any_one_weight_makes_another_file(tmp_path, before, number, byte, mask):
    model = onnx.load(before.path)
    if not flip(model, number, byte, mask):
        return
    onnx.save(model, tmp_path / "b.onnx")
    assert not is_same(before, tmp_path / "b.onnx")


@pytest.fixture(scope="module")
def beside(tmp_path_factory):
    folder = tmp_path_factory.mktemp("beside")
    for name in ("a", "b"):
        onnx.save(
            everywhere(),
            folder / f"{name}.onnx",
            save_as_external_data=True,
            location=f"{name}.data",
            size_threshold=0,
            convert_attribute=True,
        )
    assert is_same(read(folder / "a.onnx"), folder / "b.onnx")
    return folder, read(folder / "a.onnx"), used_bytes(folder / "b.onnx")


@settings(max_examples=60, deadline=None)
@given(byte=st.integers(0, 1 << 14), mask=st.integers(1, 255))
def test_any_one_byte_beside_the_model_makes_another_file(beside, byte, mask):
    folder, before, used = beside
    data = folder / "b.data"
    content = bytearray(data.read_bytes())
    place = used[byte % len(used)]
    content[place] ^= mask
    data.write_bytes(bytes(content))
    try:
        assert not is_same(before, folder / "b.onnx")
    finally:
        content[place] ^= mask
        data.write_bytes(bytes(content))


def used_bytes(path):
    """Places in the file of weights that belong to a tensor; the rest fills up pages."""
    found = []
    for tensor in tensors_in(onnx.load(path, load_external_data=False)):
        pairs = {e.key: e.value for e in tensor.external_data}
        if pairs:
            start = int(pairs["offset"])
            found += range(start, start + int(pairs["length"]))
    return found


@pytest.mark.parametrize("place", ["then_branch", "body", "Layer", "cw", "cf", "sparse"])
def test_a_weight_that_differs_is_named_by_its_place(tmp_path, capsys, place):
    model = everywhere()
    named = {t.name: n for n, t in enumerate(tensors_in(model))}
    inner = {
        "then_branch": lambda: next(
            a.g for a in model.graph.node[0].attribute if a.name == place
        ).initializer[0],
        "body": lambda: (
            next(a.g for a in model.graph.node[1].attribute if a.name == place)
            .node[0]
            .attribute[0]
            .t
        ),
        "Layer": lambda: model.functions[0].node[0].attribute[0].t,
        "cw": lambda: model.graph.node[3].attribute[0].t,
        "sparse": lambda: model.graph.sparse_initializer[0].values,
    }
    assert named
    if place == "cf":
        model.graph.node[5].attribute[0].floats[2] = 9.0
    else:
        tensor = inner[place]()
        tensor.raw_data = bytes([tensor.raw_data[0] ^ 1]) + tensor.raw_data[1:]
    for name, one in (("a", everywhere()), ("b", model)):
        onnx.save(one, tmp_path / f"{name}.onnx")
    assert main(["graphs", str(tmp_path / "a.onnx"), str(tmp_path / "b.onnx"), "--exit-code"]) == 1
    text = capsys.readouterr().out
    assert "the same: " not in text.splitlines()[1]
    assert place in text


def test_the_form_in_which_a_tensor_is_stored_is_no_difference(tmp_path):
    raw, typed = stored("w", 4, 4), stored("w", 4, 4, is_typed=True)
    for name, tensor in (("a", raw), ("b", typed)):
        graph = h.make_graph(
            [op("MatMul", "x,w", "y")], "g", [port("x", 2, 4)], [port("y", 2, 4)], [tensor]
        )
        onnx.save(h.make_model(graph), tmp_path / f"{name}.onnx")
    assert compare_files(read(tmp_path / "a.onnx"), read(tmp_path / "b.onnx")).is_empty


@pytest.mark.parametrize(
    "kind",
    [
        T.INT4,
        T.UINT4,
        T.INT2,
        T.UINT2,
        T.FLOAT4E2M1,
        T.FLOAT6E2M3,
        T.FLOAT6E3M2,
        T.FLOAT8E4M3FN,
        T.FLOAT8E5M2,
        T.FLOAT8E8M0,
        T.BFLOAT16,
        T.FLOAT16,
        T.DOUBLE,
        T.BOOL,
    ],
)
@pytest.mark.parametrize("is_typed", [False, True])
def test_tensors_of_every_type_have_the_elements_that_onnx_reads(tmp_path, kind, is_typed):
    tensor = stored("w", 3, 5, kind=kind, is_typed=is_typed)
    graph = h.make_graph(
        [op("Identity", "w", "y")], "g", [], [h.make_empty_tensor_value_info("y")], [tensor]
    )
    path = tmp_path / "a.onnx"
    onnx.save(h.make_model(graph), path)
    expected = nh.to_array(tensor).astype(np.float64)
    with Weights(path) as weights:
        assert np.array_equal(weights.array("w").astype(np.float64), expected, equal_nan=True)
        rows = np.concatenate([weights.rows("w", 0, 1), weights.rows("w", 1, 3)])
        assert np.array_equal(rows.astype(np.float64), expected, equal_nan=True)


@pytest.mark.parametrize("size", [0, 60, 68])
def test_a_tensor_with_another_number_of_bytes_than_its_shape_is_an_error(tmp_path, size):
    tensor = onnx.TensorProto(name="w", data_type=T.FLOAT, dims=[4, 4], raw_data=bytes(size))
    graph = h.make_graph(
        [op("MatMul", "x,w", "y")], "g", [port("x", 2, 4)], [port("y", 2, 4)], [tensor]
    )
    path = tmp_path / "a.onnx"
    onnx.save(h.make_model(graph), path)
    with Weights(path) as weights, pytest.raises(GraphError, match=r"a\.onnx.*'w'.*Next: "):
        weights.array("w")


def two_nodes(first, second):
    """y of two nodes with names of their own."""
    nodes = [op("Relu", "x", first, name="n1"), op("Abs", "x", second, name="n2")]
    graph = h.make_graph(nodes, "g", [port("x", 2)], [port("y", 2)])
    return h.make_model(graph)


def test_an_output_that_another_node_gives_is_a_difference(tmp_path):
    for name, ends in (("a", ("y", "z")), ("b", ("z", "y"))):
        onnx.save(two_nodes(*ends), tmp_path / f"{name}.onnx")
    difference = compare(read(tmp_path / "a.onnx"), read(tmp_path / "b.onnx"))
    assert [(c.what, c.name, c.before, c.after) for c in difference.general] == [
        ("output", "y", "n1:0", "n2:0")
    ]


def looped(*inputs):
    body = h.make_graph(
        [op("Add", ",".join(inputs), "t"), op("Identity", "r", "q"), op("Identity", "g", "o")],
        "body",
        [port("i", kind=T.INT64), port("g", kind=T.BOOL), port("s", 2), port("r", 2)],
        [port("o", kind=T.BOOL), port("t", 2), port("q", 2)],
    )
    graph = h.make_graph(
        [op("Loop", "n,,x,x", "y,z", body=body)],
        "g",
        [port("n", kind=T.INT64), port("x", 2)],
        [port("y", 2)],
    )
    return h.make_model(graph, ir_version=10)


def test_another_argument_inside_a_loop_is_a_difference(tmp_path):
    onnx.save(looped("s", "s"), tmp_path / "a.onnx")
    onnx.save(looped("s", "r"), tmp_path / "b.onnx")
    assert not compare(read(tmp_path / "a.onnx"), read(tmp_path / "b.onnx")).is_empty
    assert compare(read(tmp_path / "a.onnx"), read(tmp_path / "a.onnx")).is_empty


def four_bits(path, *, axis, is_transposed=False, has_zero_points=False):
    """A product whose weights are 4-bit blocks of 32 along the depth, behind DequantizeLinear."""
    values = FLOATS.T if is_transposed else FLOATS
    blocks = np.moveaxis(values, axis, -1).reshape(-1, 2, 32)
    zero = 3 if has_zero_points else 0
    scales = np.abs(blocks).max(-1) / (7 - zero)
    codes = np.clip(np.rint(blocks / scales[..., None]) + zero, -8, 7).astype(np.int8)
    codes = np.moveaxis(codes.reshape(np.moveaxis(values, axis, -1).shape), -1, axis)
    scales = np.moveaxis(scales.reshape(*np.moveaxis(values, axis, -1).shape[:-1], 2), -1, axis)
    tensors = [
        h.make_tensor("w_DQ_Q4", T.INT4, codes.shape, codes.reshape(-1)),
        nh.from_array(scales.astype(np.float32), "w_DQ_scales"),
    ]
    names = ["w_DQ_Q4", "w_DQ_scales"]
    if has_zero_points:
        points = np.full(scales.shape, zero)
        tensors.append(h.make_tensor("w_DQ_zero_points", T.INT4, scales.shape, points.reshape(-1)))
        names.append("w_DQ_zero_points")
    nodes = [h.make_node("DequantizeLinear", names, ["wf"], axis=axis, block_size=32)]
    if is_transposed:
        nodes.append(op("Transpose", "wf", "wt", perm=[1, 0]))
    nodes.append(op("MatMul", "x,wt" if is_transposed else "x,wf", "y", name="m_matmul_Q4"))
    return saved(path, nodes, tensors)


def saved(path, nodes, tensors):
    graph = h.make_graph(nodes, "g", [port("x", 2, 64)], [port("y", 2, 24)], tensors)
    onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 21)], ir_version=10), path)
    return path


FLOATS = np.random.default_rng(5).normal(size=(64, 24)).astype(np.float32)


@pytest.mark.parametrize(
    "layout",
    [{"axis": 0}, {"axis": 0, "has_zero_points": True}, {"axis": 1, "is_transposed": True}],
)
def test_blocks_of_four_bits_are_compared_with_the_floats_that_they_stand_for(tmp_path, layout):
    floats = [op("MatMul", "x,w", "y", name="m")]
    before = saved(tmp_path / "a.onnx", floats, [nh.from_array(FLOATS, "w")])
    after = four_bits(tmp_path / "b.onnx", **layout)
    difference = compare_files(read(before), read(after))
    (row,) = (t for t in difference.tensors if t.name == "w")
    assert row.is_dequantized == (False, True)
    assert 14 < row.snr_db < 26
    assert not difference.tensors_added + difference.tensors_removed
    assert read(after).macs == read(before).macs == 2 * 64 * 24
