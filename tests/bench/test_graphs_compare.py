"""Comparing two graphs: records in, record out."""

from dataclasses import replace

from graph_files import graph, node
from hypothesis import given
from hypothesis import strategies as st

from bench.graph_diff.compare import compare
from bench.graph_diff.match import match
from bench.graph_diff.pictures import marks
from bench.onnx_graph.names import bare, is_numbered
from bench.onnx_graph.record import Tensor, Value


def tensor(name, shape=(3, 3), dtype="float"):
    return Tensor(name=name, dtype=dtype, shape=shape, num_bytes=36)


def base(**rest):
    return graph(
        node("conv", "Conv", ["x", "w1"], ["a"], shape=("batch", 8), attributes=(("group", "2"),)),
        node("relu", "Relu", ["a"], ["b"], shape=("batch", 8)),
        node("fc", "MatMul", ["b", "w2"], ["y"], shape=("batch", 5)),
        tensors=[tensor("w1"), tensor("w2")],
        **rest,
    )


def only(difference):
    (change,) = difference.changed
    return [(c.what, c.name, c.before, c.after) for c in change.changes]


def test_a_graph_does_not_differ_from_itself():
    difference = compare(base(), base(path="other.onnx"))
    assert difference.is_empty
    assert difference.num_same == 3
    assert difference.operators == ()


def swapped(graph, which, **changes):
    nodes = tuple(replace(n, **changes) if n.key == which else n for n in graph.nodes)
    return replace(graph, nodes=nodes)


def test_a_changed_attribute_is_told_with_both_values():
    after = swapped(base(), "conv", attributes=(("group", "1"),))
    assert only(compare(base(), after)) == [("attribute", "group", "2", "1")]


def test_a_changed_shape_and_type_are_told():
    after = swapped(base(), "relu", outputs=(Value(name="b", dtype="float16", shape=("batch", 6)),))
    assert only(compare(base(), after)) == [
        ("shape", "", "batch×8", "batch×6"),
        ("dtype", "", "float", "float16"),
    ]


def test_a_node_that_only_carries_on_another_shape_is_told_from_the_one_that_changed():
    narrow = (Value(name="a", dtype="float", shape=("batch", 4)),)
    after = swapped(base(), "conv", outputs=narrow)
    after = swapped(after, "relu", outputs=(replace(narrow[0], name="b"),))
    after = replace(after, tensors=(tensor("w1", (4, 3)), tensor("w2")))
    difference = compare(base(), after)
    assert {c.before.key: c.is_carried for c in difference.changed} == {"conv": False, "relu": True}
    colours, _ = marks(difference)
    assert [set(side) for side in colours] == [{"conv"}, {"conv"}]


def test_a_shape_that_one_file_does_not_tell_is_no_change():
    after = swapped(base(), "relu", outputs=(Value(name="b", dtype="", shape=None),))
    assert compare(base(), after).is_empty


def test_another_operator_under_the_old_name_is_a_change():
    after = swapped(base(), "relu", operator="Gelu")
    difference = compare(base(), after)
    assert only(difference) == [("operator", "", "Relu", "Gelu")]
    assert difference.operators == (("Gelu", 0, 1), ("Relu", 1, 0))


def test_another_operator_that_gives_the_old_value_is_a_change():
    after = swapped(base(), "relu", operator="Gelu", key="act")
    difference = compare(base(), after)
    assert only(difference) == [("operator", "", "Relu", "Gelu")]
    assert difference.num_renamed == 1


def test_a_node_that_is_gone_is_removed_once_and_what_follows_it_is_the_same():
    before = base()
    after = replace(
        before,
        nodes=(before.nodes[0], replace(before.nodes[2], inputs=("a", "w2"))),
    )
    difference = compare(before, after)
    assert [n.key for n in difference.removed] == ["relu"]
    assert not difference.changed
    assert difference.num_same == 2


def test_an_input_that_comes_from_elsewhere_is_a_change():
    before = graph(
        node("a", "Relu", ["x"], ["va"]),
        node("b", "Sigmoid", ["x"], ["vb"]),
        node("c", "Add", ["va", "vb"], ["y"]),
    )
    after = swapped(before, "c", inputs=("va", "va"))
    assert only(compare(before, after)) == [("input", "1", "vb", "va")]


def test_nodes_without_telling_names_are_found_by_what_they_are_connected_to():
    before = base()
    renamed = {"a": "q", "b": "r"}
    after = replace(
        before,
        nodes=tuple(
            replace(
                n,
                key=f"#{number}",
                inputs=tuple(renamed.get(i, i) for i in n.inputs),
                outputs=tuple(replace(v, name=renamed.get(v.name, v.name)) for v in n.outputs),
            )
            for number, n in enumerate(before.nodes)
        ),
    )
    difference = compare(before, after)
    assert difference.is_empty
    assert difference.num_renamed == 3
    assert {m.by for m in match(before, after)} == {"structure"}


def test_an_inserted_node_that_moves_all_numbers_is_the_only_difference():
    def numbered(*operators):
        nodes, value = [], "x"
        for number, (operator, scope) in enumerate(operators):
            nodes.append(
                node(f"node_{operator}_{number}", operator, [value], [f"val_{number}"], scope=scope)
            )
            value = f"val_{number}"
        return graph(*nodes, outputs=[value])

    before = numbered(*[("Relu", f"layer{n}") for n in range(6)])
    after = numbered(("Relu", "new"), *[("Relu", f"layer{n}") for n in range(6)])
    difference = compare(before, after)
    assert [n.scope for n in difference.added] == ["new"]
    assert not difference.removed


def test_quantize_and_dequantize_between_nodes_are_added_and_change_nothing_else():
    before = base()
    after = graph(
        node("x_q", "QuantizeLinear", ["x", "s", "z"], ["x_quantized"], dtype="int8"),
        node("x_d", "DequantizeLinear", ["x_quantized", "s", "z"], ["x_DequantizeLinear_Output"]),
        node(
            "w1_d", "DequantizeLinear", ["w1_quantized", "ws", "wz"], ["w1_DequantizeLinear_Output"]
        ),
        replace(
            before.nodes[0], inputs=("x_DequantizeLinear_Output", "w1_DequantizeLinear_Output")
        ),
        *before.nodes[1:],
        tensors=[tensor("w1_quantized", dtype="int8"), tensor("w2")],
    )
    difference = compare(before, after)
    assert {n.operator for n in difference.added} == {"QuantizeLinear", "DequantizeLinear"}
    assert not difference.changed
    assert not difference.removed


def test_a_quantized_operator_is_found_as_what_its_float_one_became():
    after = swapped(base(), "conv", operator="QLinearConv", key="conv_quant")
    (change,) = compare(base(), after).changed
    assert (change.before.key, change.after.key) == ("conv", "conv_quant")
    assert change.changes[0].after == "QLinearConv"


def test_inputs_outputs_opsets_and_producer_are_told():
    after = replace(
        base(),
        producer="another",
        opsets=(("ai.onnx", 21), ("com.microsoft", 1)),
        ir_version=9,
        inputs=(Value(name="x", dtype="float", shape=(1, 3)), Value(name="mask")),
        outputs=(),
    )
    told = {(c.what, c.name): (c.before, c.after) for c in compare(base(), after).general}
    assert told == {
        ("producer", ""): ("test", "another"),
        ("IR version", ""): ("10", "9"),
        ("opset", "ai.onnx"): ("20", "21"),
        ("opset", "com.microsoft"): ("", "1"),
        ("input", "x"): ("float batch×3", "float 1×3"),
        ("input", "mask"): ("", "? ?"),
        ("output", "y"): ("float batch×3", ""),
    }


def test_weights_are_counted_by_type():
    after = replace(base(), tensors=(tensor("w1", dtype="int8"), tensor("w2")))
    assert {d: n for d, n, _ in compare(base(), after).after.dtypes} == {
        "float": 1,
        "int8": 1,
    }


operators = st.sampled_from(["Relu", "Add", "Conv", "MatMul"])


@st.composite
def graphs(draw):
    num = draw(st.integers(0, 8))
    values, nodes = ["x"], []
    for number in range(num):
        inputs = draw(st.lists(st.sampled_from(values), min_size=1, max_size=2))
        key = draw(st.sampled_from([f"n{number}", f"node_{number}", f"k{number % 3}{number}"]))
        nodes.append(
            node(
                key,
                draw(operators),
                inputs,
                [f"v{number}"],
                scope=draw(st.sampled_from(["", "m", "m.k"])),
            )
        )
        values.append(f"v{number}")
    return graph(*nodes)


@given(graphs())
def test_any_graph_is_the_same_as_itself(one):
    difference = compare(one, one)
    assert difference.is_empty
    assert difference.num_same == len(one.nodes)


@given(graphs(), graphs())
def test_every_node_is_told_once_on_each_side(before, after):
    difference = compare(before, after)
    pairs = match(before, after)
    assert len({m.before.key for m in pairs}) == len({m.after.key for m in pairs}) == len(pairs)
    assert len(difference.removed) + len(pairs) == len(before.nodes)
    assert len(difference.added) + len(pairs) == len(after.nodes)
    assert difference.num_same + len(difference.changed) == len(pairs)


@given(graphs(), graphs())
def test_the_operators_that_differ_are_those_of_the_counts(before, after):
    for name, left, right in compare(before, after).operators:
        assert left == sum(n.operator == name for n in before.nodes)
        assert right == sum(n.operator == name for n in after.nodes)
        assert left != right


def test_names_that_a_quantizer_made_are_read_back():
    assert bare("conv1.weight_quantized") == "conv1.weight"
    assert bare("relu_DequantizeLinear_Output") == "relu"
    assert bare("node_linear_MatMul_quant") == "node_linear"
    assert bare("_quantized") == "_quantized"
    assert is_numbered("val_12")
    assert not is_numbered("conv1.weight")


def test_a_node_behind_two_new_pairs_is_paired_once():
    def diamond(name):
        return graph(
            node(f"{name}1", "Relu", ["x"], [f"{name}a"]),
            node(f"{name}2", "Abs", ["x"], [f"{name}b"]),
            node(f"{name}3", "Add", [f"{name}a", f"{name}b"], ["y"]),
        )

    difference = compare(diamond("p"), diamond("q"))
    assert not difference.added
    assert not difference.removed
