"""Two graphs are the same when only names and order differ, and another one when anything else does."""

import onnx
import pytest
from onnx import helper as h
from test_graphs_invented import LOOP, ON, body, weight
from test_graphs_judged import model_of, number, op, port

from bench.graph_diff.weights import compare_files
from bench.onnx_graph.read import read


def compared(tmp_path, one_model, other):
    for name, model in (("a", one_model), ("b", other)):
        onnx.save(model, tmp_path / f"{name}.onnx")
    return compare_files(read(tmp_path / "a.onnx"), read(tmp_path / "b.onnx"))


def called(*, default=None, refers_to="al", results=("p", "q")):
    """A function that is called without some of its attributes."""
    nodes = [h.make_node("LeakyRelu", ["a"], ["p"]), op("Neg", "a", "q")]
    slope = nodes[0].attribute.add()
    slope.name, slope.type, slope.ref_attr_name = "alpha", onnx.AttributeProto.FLOAT, refers_to
    defaults = {} if default is None else {"attribute_protos": [h.make_attribute("al", default)]}
    names = [] if defaults else ["al", "be"]
    given = {} if defaults else {"al": 0.1, "be": 0.2}
    opsets = [h.make_opsetid("", 21)]
    function = h.make_function("own", "F", ["a"], results, nodes, opsets, names, **defaults)
    calls = [h.make_node("F", ["x"], ["u", "v"], domain="own", **given), op("Sub", "u,v", "y")]
    return model_of(calls, [port("x", 3)], [port("y", 3)], functions=[function])


def stepped(inputs=("s", "t"), outputs=("s1", "t1")):
    """A loop with two states."""
    inside = body(
        [op("Relu", "s", "s1"), op("Neg", "t", "t1"), ON[0]],
        [*LOOP, *(port(n, 3) for n in inputs)],
        [ON[1], *(port(n, 3) for n in outputs)],
    )
    nodes = [op("Loop", "n,,x,z", "u,v", body=inside), op("Sub", "u,v", "y")]
    return model_of(nodes, [port("x", 3), port("z", 3)], [port("y", 3)], [number("n", 3)])


def chain(*weights):
    nodes = [
        op("MatMul", f"x,{weights[0]}", "t", name="m1"),
        op("MatMul", f"t,{weights[1]}", "y", name="m2"),
    ]
    stored = [weight("a", 8, 8, seed=1), weight("b", 8, 8, seed=2)]
    return model_of(nodes, [port("x", 2, 8)], [port("y", 2, 8)], stored)


def held(content):
    node = h.make_node("Held", ["x"], ["y"], domain="own", cache=content)
    return model_of([node], [port("x", 3)], [port("y", 3)])


ANOTHER = {
    "the default of a function's attribute": (called(default=0.1), called(default=0.2)),
    "which attribute a node of a function takes": (called(), called(refers_to="be")),
    "the order of a function's results": (called(), called(results=("q", "p"))),
    "states that a loop crosses": (stepped(), stepped(outputs=("t1", "s1"))),
    "states that a loop takes crossed": (stepped(), stepped(inputs=("t", "s"))),
    "weights that change places": (chain("a", "b"), chain("b", "a")),
    "a byte of a long attribute": (held(bytes(9999) + b"a"), held(bytes(9999) + b"b")),
}


@pytest.mark.parametrize("what", ANOTHER)
def test_a_graph_that_computes_something_else_is_not_the_same(tmp_path, what):
    assert not compared(tmp_path, *ANOTHER[what]).is_empty
    assert compared(tmp_path, ANOTHER[what][0], ANOTHER[what][0]).is_empty


@pytest.mark.parametrize("names", [("", "", ""), ("Relu_0", "Relu_1", "Sub_2")])
def test_independent_nodes_in_another_order_are_the_same_whatever_their_numbers(tmp_path, names):
    """Where nodes have no names, or ones that number them, the order must not outweigh what they read."""

    def ordered(*reads):
        nodes = [op("Relu", r, f"{r}1", name=n) for r, n in zip(reads, names, strict=False)]
        nodes.append(op("Sub", "x1,z1", "y", name=names[2]))
        return model_of(nodes, [port("x", 3), port("z", 3)], [port("y", 3)])

    assert compared(tmp_path, ordered("x", "z"), ordered("z", "x")).is_empty


def test_a_function_runs_with_the_defaults_of_its_attributes(tmp_path):
    onnx.save(called(default=0.25), tmp_path / "a.onnx")
    (slope,) = (n for n in read(tmp_path / "a.onnx").nodes if n.operator == "LeakyRelu")
    assert dict(slope.attributes)["alpha"] == "0.25"
