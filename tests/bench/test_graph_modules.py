"""Nodes and weights are named after the module that uses them, whatever number an exporter gave."""

from graph_files import graph, node

from bench.graph_analysis.modules import node_names, scopes_in, weight_names

TRAINED = graph(
    node("node_MatMul_91", "MatMul", ["x", "val_92"], ["a"], scope="layer.0.query", macs=8),
    node("node_MatMul_99", "MatMul", ["x", "val_100"], ["b"], scope="layer.0.key", macs=8),
)
PRUNED = graph(  # the next export counts otherwise
    node("node_MatMul_71", "MatMul", ["x", "val_72"], ["a"], scope="layer.0.query", macs=4),
    node("node_MatMul_91", "MatMul", ["x", "val_92"], ["b"], scope="layer.0.key", macs=4),
)
INT8 = graph(  # a quantizer keeps names and drops modules
    node("turn", "DequantizeLinear", ["val_92_quantized", "s"], ["w"]),
    node("node_MatMul_91_quant", "MatMulInteger", ["x", "w"], ["a"], macs=8),
)


def test_two_exports_are_joined_by_module_and_not_by_the_exporters_number():
    first, second = (node_names(g.nodes, scopes_in([g.nodes])) for g in (TRAINED, PRUNED))
    assert first["node_MatMul_91"] == second["node_MatMul_71"] == "layer.0.query MatMul"
    assert second["node_MatMul_91"] == "layer.0.key MatMul"


def test_a_quantized_node_has_the_module_of_the_one_that_it_was():
    names = node_names(INT8.nodes, scopes_in([TRAINED.nodes, INT8.nodes]))
    assert names["node_MatMul_91_quant"] == "layer.0.query MatMul"
    assert names["turn"] == "turn"


def test_a_numbered_weight_is_named_after_the_module_that_uses_it():
    scopes = scopes_in([TRAINED.nodes])
    assert weight_names(TRAINED, ["val_92", "val_100"], scopes) == {
        "val_92": "layer.0.query.weight",
        "val_100": "layer.0.key.weight",
    }
    assert weight_names(INT8, ["val_92_quantized"], scopes) == {
        "val_92_quantized": "layer.0.query.weight"
    }
    old = graph(node("MatMul_3", "MatMul", ["x", "onnx::MatMul_165"], ["a"], scope="head"))
    assert weight_names(old, ["onnx::MatMul_165"], {}) == {"onnx::MatMul_165": "head.weight"}


def test_a_name_that_means_something_is_kept_and_a_second_layer_of_a_module_is_counted():
    lstm = graph(
        node("l0", "LSTM", ["x", "val_1", "val_2", "val_3"], ["a"], scope="recurrent"),
        node("l1", "LSTM", ["a", "val_4", "val_5", "val_6"], ["b"], scope="recurrent"),
        node("head", "Gemm", ["b", "head.weight"], ["y"], scope="head"),
    )
    assert weight_names(lstm, ["val_4", "val_2", "head.weight", "val_1"], {}) == {
        "val_1": "recurrent.weight_ih",
        "val_4": "recurrent.weight_ih #2",
        "val_2": "recurrent.weight_hh",
        "head.weight": "head.weight",
    }
