#!/usr/bin/env bash
# A dilated window with auto_pad SAME_UPPER is valid ONNX, and four tools treat it in four ways. onnx 1.23.2 (checker, shape
# inference, reference evaluator): the output has the size of the input. onnxruntime 1.32.0 on the CPU: Conv loads and
# every run is refused ("Dilation not supported"); AveragePool, LpPool and MaxPool run, pad as if the window were not
# dilated, and return 7 x 6 in place of 9 x 8, with nothing but a warning in the log. onnxscript 0.7.2's optimizer, which writes
# the pads into the Conv and so makes it run, writes those of a kernel that is not dilated: 7 x 6 again, without a word.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
${PYTHON:-python3} -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    onnxruntime==1.32.0 onnx==1.23.2 onnxscript==0.7.2
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnx
import onnxruntime as ort
import onnxscript
import onnxscript.optimizer
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

X = np.random.default_rng(0).normal(size=(1, 3, 9, 8)).astype(np.float32)
WEIGHT = numpy_helper.from_array(np.ones((3, 3, 3, 3), np.float32), "w")


def model(operator):
    is_conv = operator == "Conv"
    window = {"auto_pad": "SAME_UPPER", "dilations": [2, 2], "kernel_shape": [3, 3]}
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", "w"] if is_conv else ["x"], ["y"], **window)],
        "window",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, X.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, X.shape)],
        [WEIGHT] if is_conv else [],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    onnx.checker.check_model(made, full_check=True)
    return made


def shape_in_runtime(made):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(made.SerializeToString(), options)
    try:
        return session.run(None, {"x": X})[0].shape
    except Exception as error:
        return type(error).__name__


print("onnx", onnx.__version__, "onnxruntime", ort.__version__, "onnxscript", onnxscript.__version__)
seen = {}
for operator in ("Conv", "AveragePool", "LpPool", "MaxPool"):
    made = model(operator)
    reference = ReferenceEvaluator(made).run(None, {"x": X})[0].shape
    seen[operator] = shape_in_runtime(made)
    print(operator, "reference", reference, "onnxruntime", seen[operator])
    assert reference == X.shape
optimized = onnxscript.optimizer.optimize(model("Conv"))
seen["optimized"] = shape_in_runtime(optimized)
pads = [list(a.ints) for a in optimized.graph.node[0].attribute if a.name == "pads"]
print("Conv by onnxscript's optimizer: pads", pads, "onnxruntime", seen["optimized"])
assert seen.pop("Conv") == "InvalidArgument"
assert pads == [[1, 1, 1, 1]], "2 on each side would be right"
assert set(seen.values()) == {(1, 3, 7, 6)}
PYTHON
