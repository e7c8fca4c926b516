"""Constants that the exporter makes anew for each use are kept once."""

import numpy as np
import onnx_ir as ir
import pytest

from suite.stages.export.dynamo import share_constants

pytestmark = pytest.mark.heavy


def graph(**arrays):
    """A chain of additions, one for each array, from `x` to `y`."""
    x = ir.Value(name="x", type=ir.TensorType(ir.DataType.FLOAT), shape=ir.Shape([2]))
    last, nodes, constants = x, [], []
    for name, array in arrays.items():
        constant = ir.Value(name=name, const_value=ir.tensor(array, name=name))
        constants.append(constant)
        nodes.append(ir.node("Add", [last, constant], name=f"add {name}"))
        last = nodes[-1].outputs[0]
    last.name = "y"
    made = ir.Graph([x], [last], nodes=nodes, initializers=constants, opset_imports={"": 20})
    return ir.Model(made, ir_version=10)


def test_equal_constants_become_one_and_other_ones_stay():
    one, other = np.ones(2, np.float32), np.full(2, 2, np.float32)
    model = graph(val_1=one, val_2=one.copy(), val_3=other, val_4=one.astype(np.float64))
    share_constants(model, {})
    assert sorted(model.graph.initializers) == ["val_1", "val_3", "val_4"]
    assert [node.inputs[1].name for node in model.graph] == ["val_1", "val_1", "val_3", "val_4"]


def test_parameters_keep_their_names_however_equal_they_are():
    zeros = np.zeros(2, np.float32)
    model = graph(**{"a.bias": zeros, "b.bias": zeros.copy()})
    share_constants(model, {"a.bias", "b.bias"})
    assert sorted(model.graph.initializers) == ["a.bias", "b.bias"]
