"""Reading ONNX files: what is in them, and what is said of those that are none."""

import os
import time

import numpy as np
import onnx
import pytest
from graph_files import EVIL, chain, net, save, value
from onnx import TensorProto, helper, numpy_helper

from bench.onnx_graph.errors import GraphError
from bench.onnx_graph.keys import keys_of
from bench.onnx_graph.read import read
from bench.onnx_graph.skeleton import skeleton_of


def test_a_file_is_told_in_full(tmp_path):
    graph = read(net(tmp_path / "net.onnx", producer_name="hand", producer_version="1"))
    assert graph.producer == "hand 1"
    assert graph.opsets == (("ai.onnx", 20),)
    assert graph.inputs[0].shape == ("batch", 3, 16, 16)
    assert graph.outputs[0].shape == ("batch", 5)
    assert [n.operator for n in graph.nodes] == [
        "Conv", "Relu", "GlobalAveragePool", "Flatten", "MatMul",
    ]  # fmt: skip
    assert graph.initializer_bytes == 4 * (8 * 27 + 8 + 8 * 5)
    assert graph.open_axes == ("batch",)
    assert graph.num_bytes == (tmp_path / "net.onnx").stat().st_size


def test_shapes_are_inferred_and_macs_counted_for_a_batch_of_one_or_what_is_said(tmp_path):
    path = net(tmp_path / "net.onnx")
    graph = read(path)
    assert graph.nodes[0].outputs[0].shape == ("batch", 8, 16, 16)
    one = 8 * 16 * 16 * 27 + 8 * 5
    assert graph.macs == one
    assert read(path, sizes={"batch": 4}).macs == 4 * one


def test_what_has_open_shapes_is_not_counted_as_nothing(tmp_path):
    graph = read(net(tmp_path / "net.onnx"), sizes={})
    assert graph.macs == 0
    assert graph.num_uncounted == 2


def test_shapes_that_were_seen_in_a_run_close_what_is_open(tmp_path):
    path = net(tmp_path / "net.onnx")
    seen = {"c": (2, 8, 16, 16), "y": (2, 5)}
    assert read(path, sizes={}, shapes=seen).macs == read(path, sizes={"batch": 2}).macs


def test_attributes_that_say_what_onnx_assumes_anyway_are_left_out(tmp_path):
    path = save(
        tmp_path / "a.onnx",
        [helper.make_node("LeakyRelu", ["x"], ["m"], name="a", alpha=0.01),
         helper.make_node("LeakyRelu", ["m"], ["y"], name="b", alpha=0.5)],
    )  # fmt: skip
    assert [n.attributes for n in read(path).nodes] == [(), (("alpha", "0.5"),)]


def test_nodes_without_a_name_of_their_own_get_a_key_of_their_own(tmp_path):
    nodes = [helper.make_node("Relu", [f"v{n}" if n else "x"], [f"v{n + 1}"], name=name)
             for n, name in enumerate(["", "same", "same", "", "Relu #0"])]  # fmt: skip
    path = save(tmp_path / "a.onnx", nodes, outputs=[value("v5", ["batch", 3])])
    keys = [n.key for n in read(path).nodes]
    assert len(set(keys)) == 5
    assert keys[1] == "same"
    assert keys[4] == "Relu #0"
    assert list(skeleton_of(path).keys) == keys


def test_keys_never_collide():
    names = [("a", "X"), ("a", "X"), ("a #1", "X"), ("", "a"), ("a", "X")]
    assert len(set(keys_of(names))) == len(names)


def test_the_graphs_inside_branches_are_read_too(tmp_path):
    def branch(name, operator):
        node = helper.make_node(operator, ["x"], [f"{name}_out"], name=f"{name}_node")
        return helper.make_graph([node], name, [], [value(f"{name}_out", ["batch", 3])])

    path = save(
        tmp_path / "if.onnx",
        [
            helper.make_node(
                "If",
                ["flag"],
                ["y"],
                name="choice",
                then_branch=branch("then", "Relu"),
                else_branch=branch("else", "Abs"),
            )
        ],
        inputs=[value("x", ["batch", 3]), value("flag", [], TensorProto.BOOL)],
    )
    nodes = {n.key: n for n in read(path).nodes}
    assert set(nodes) == {
        "choice", "choice/then_branch/then_node", "choice/else_branch/else_node",
    }  # fmt: skip
    assert nodes["choice/then_branch/then_node"].outer == "choice"
    assert nodes["choice"].outer == ""


def test_functions_of_the_file_are_put_in_the_place_of_their_calls(tmp_path):
    function = helper.make_function(
        "own",
        "Twice",
        ["a"],
        ["c"],
        [helper.make_node("Relu", ["a"], ["b"]), helper.make_node("Abs", ["b"], ["c"])],
        [helper.make_opsetid("", 20)],
    )
    path = save(
        tmp_path / "f.onnx",
        [helper.make_node("Twice", ["x"], ["y"], domain="own", name="call")],
        opsets=[helper.make_opsetid("", 20), helper.make_opsetid("own", 1)],
        functions=[function],
    )
    assert [n.operator for n in read(path).nodes] == ["Relu", "Abs"]


def test_a_skeleton_has_everything_but_the_weights(tmp_path):
    path = tmp_path / "big.onnx"
    weight = np.zeros((512, 512), np.float32)
    save(path, [helper.make_node("MatMul", ["x", "w"], ["y"], name="m")], weights={"w": weight},
         inputs=[value("x", ["batch", 512])])  # fmt: skip
    skeleton = skeleton_of(path)
    assert len(skeleton.data) < 500
    start, end = skeleton.places["w"]
    tensor = onnx.TensorProto.FromString(path.read_bytes()[start:end])
    assert numpy_helper.to_array(tensor).shape == (512, 512)
    assert read(path).macs == 512 * 512


def test_a_changed_constant_is_told_even_where_its_bytes_are_left_out(tmp_path):
    def constant(name, fill):
        array = numpy_helper.from_array(np.full(1000, fill, np.float32))
        return save(
            tmp_path / name,
            [
                helper.make_node("Constant", [], ["c"], name="c", value=array),
                helper.make_node("Add", ["x", "c"], ["y"], name="add"),
            ],
            inputs=[value("x", ["batch", 1000])],
        )

    texts = [read(constant(f"{f}.onnx", f)).nodes[0].attributes[0][1] for f in (0.5, 0.5, 1.5)]
    assert texts[0] == texts[1] != texts[2]
    assert texts[0].startswith("float[1000] sha256:")


def test_weights_in_a_second_file_count_but_are_not_needed(tmp_path):
    source = net(tmp_path / "one.onnx", width=64)
    onnx.save(
        onnx.load(source), tmp_path / "two.onnx",
        save_as_external_data=True, location="two.onnx.data", size_threshold=0,
    )  # fmt: skip
    one, two = read(source), read(tmp_path / "two.onnx")
    assert two.initializer_bytes == one.initializer_bytes
    data = tmp_path / "two.onnx.data"
    assert two.num_bytes == data.stat().st_size + (tmp_path / "two.onnx").stat().st_size
    data.unlink()
    assert read(tmp_path / "two.onnx").macs == one.macs


@pytest.mark.parametrize("name", EVIL)
def test_any_name_comes_back_as_it_was(tmp_path, name):
    path = save(
        tmp_path / "e.onnx",
        [helper.make_node("Relu", [name], [f"{name}2"], name=name)],
        inputs=[value(name, [name, 3])],
        outputs=[value(f"{name}2", [name, 3])],
        name=name,
    )
    graph = read(path)
    assert graph.nodes[0].key == name
    assert graph.inputs[0].name == name
    assert graph.name == name


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"hello, this is text and no graph at all", "no ONNX model"),
        (b"\0" * 5000, "zeros"),
        (b"PK\x03\x04" + b"x" * 100, "zip"),
        (b"<!doctype html><title>404</title>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 5\n", "LFS"),
        (b"\x08\x0a\x12\x03abc", "no ONNX model"),
    ],
)
def test_what_is_no_model_is_one_error_that_names_the_file_and_a_next_step(tmp_path, content, says):
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(GraphError) as caught:
        read(path)
    message = str(caught.value)
    assert str(path) in message
    assert says.lower() in message.lower()
    assert "xpected an ONNX model" in message
    assert "Next: " in message
    assert "\n" not in message


def test_a_model_that_is_cut_off_anywhere_never_raises_anything_else(tmp_path):
    whole = net(tmp_path / "net.onnx").read_bytes()
    path = tmp_path / "cut.onnx"
    num_errors = 0
    for end in range(0, len(whole), 7):
        path.write_bytes(whole[:end])
        try:
            read(path)
        except GraphError:
            num_errors += 1
    assert num_errors > len(whole) / 7 * 0.8


def test_what_is_not_there_and_what_is_a_folder_are_named(tmp_path):
    for path in (tmp_path / "nothing.onnx", tmp_path):
        with pytest.raises(GraphError, match=str(path)):
            read(path)


def test_a_file_of_more_than_two_gib_is_refused_at_once(tmp_path):
    path = tmp_path / "huge.onnx"
    with path.open("wb") as file:
        file.write(net(tmp_path / "net.onnx").read_bytes())
        file.truncate(2**31 + 4096)
    with pytest.raises(GraphError, match=r"huge\.onnx"):
        read(path)


def test_a_graph_of_five_thousand_nodes_is_read(tmp_path):
    graph = read(chain(tmp_path / "long.onnx", 5000, scopes=["a", "b.c"]))
    assert len(graph.nodes) == 5000
    assert {n.scope for n in graph.nodes} == {"a", "b.c"}


def test_reading_leaves_no_file_open(tmp_path):
    path = net(tmp_path / "net.onnx")
    read(path)
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(5):
        read(path)
    time.sleep(0)
    after = len(os.listdir("/proc/self/fd")) if before else 0
    assert after == before


@pytest.mark.parametrize("name", [b"first", b"between", b"whole"])
def test_a_name_that_is_no_text_is_one_sentence_about_the_file(tmp_path, name):
    node = helper.make_node("Relu", ["x"], ["between"], name="first")
    last = helper.make_node("Abs", ["between"], ["y"], name="second")
    ends = (value("x", [2]), value("y", [2]))
    graph = helper.make_graph([node, last], "whole", [ends[0]], [ends[1]])
    path = tmp_path / "bad.onnx"
    path.write_bytes(
        helper.make_model(graph).SerializeToString().replace(name, b"\xff\xfe" + name[2:])
    )
    with pytest.raises(GraphError, match=r"bad\.onnx: a name in it is no text in UTF-8"):
        read(path)
