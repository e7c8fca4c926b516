#!/usr/bin/env bash
# torch 2.15.0: an axis that was offered as Dim.AUTO and that torch.export found to be fixed (a matrix with 8 rows stands
# behind it) is never written into the ONNX file as the number 8. From a module it becomes an open axis with a name
# ("s27"), from an exported program an open axis whose name is "8", although the program itself says 8. Readers that go by
# the file (ONNX Runtime's get_inputs, tools that make inputs) take it for free. transformers' exporter goes the second
# way: every fixed axis of a cache is named by its number.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
${PYTHON:-python3} -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    torch==2.15.0 numpy==2.4.6 onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0
"$folder/venv/bin/python" - 2>/dev/null <<'PYTHON'
import onnxruntime
import torch
from torch.export import Dim


class Product(torch.nn.Module):
    def forward(self, x):
        return x @ torch.ones(8, 4)


example, axes = (torch.ones(3, 8),), ({0: Dim.AUTO, 1: Dim.AUTO},)
program = torch.export.export(Product(), example, dynamic_shapes=axes)
told = [tuple(node.meta["val"].shape) for node in program.graph.nodes if node.op == "placeholder"]
print("torch.export:", told)
options = {"dynamo": True, "verbose": False}
files = {
    "from the module": torch.onnx.export(Product(), example, dynamic_shapes=axes, **options),
    "from the program": torch.onnx.export(program, (), **options),
}
names = {}
for way, made in files.items():
    axis = made.model_proto.graph.input[0].type.tensor_type.shape.dim[1]
    session = onnxruntime.InferenceSession(made.model_proto.SerializeToString())
    names[way] = axis.dim_param
    print(f"{way}: dim_value {axis.dim_value}, dim_param {axis.dim_param!r};", session.get_inputs()[0].shape)
assert told[0][1] == 8, "torch.export does not fix the axis any more"
assert names["from the module"] and not names["from the module"].isdecimal(), "the behaviour has changed"
assert names["from the program"] == "8", "the behaviour has changed"
PYTHON
