#!/usr/bin/env bash
# ONNX Runtime 1.32.0: quantize_static(calibrate_method=CalibrationMethod.Entropy) clips nothing. It sorts the values into
# 128 bins and looks for the best threshold among the windows of at least 128 bins: there is one, the whole range. The
# number of bins cannot be set through quantize_static; create_calibrator(extra_options={"num_bins": 2048}) has
# candidates and clips. Seen: with one value of 1000 among 65536 normal ones the range of MinMax and that of Entropy have the
# same width to the last digit, 1004.49; with 2048 bins Entropy gives 110.9.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
${PYTHON:-python3} -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6 sympy
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import logging

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, create_calibrator, quantize_static

logging.disable(logging.WARNING)
dice = np.random.default_rng(0)
weight = dice.standard_normal((64, 8)).astype(np.float32)
graph = helper.make_graph(
    [helper.make_node("MatMul", ["x", "w"], ["y"], "product")],
    "g",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 64])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 8])],
    [numpy_helper.from_array(weight, "w")],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
onnx.checker.check_model(model)
onnx.save(model, "net.onnx")
values = dice.standard_normal((1024, 64)).astype(np.float32)
values[0, 0] = 1000.0


class Reader(CalibrationDataReader):
    def __init__(self):
        self.rest = iter([{"x": values}])

    def get_next(self):
        return next(self.rest, None)


def span(method):
    name = f"{method.name}.onnx"
    quantize_static("net.onnx", name, Reader(), calibrate_method=method)
    stored = {t.name: numpy_helper.to_array(t) for t in onnx.load(name).graph.initializer}
    return 255 * float(stored["x_scale"])


print("onnxruntime", onnxruntime.__version__)
spans = {method.name: span(method) for method in (CalibrationMethod.MinMax, CalibrationMethod.Entropy)}
print("width of the range of x:", spans)
finer = create_calibrator("net.onnx", ["MatMul"], "augmented.onnx", CalibrationMethod.Entropy, extra_options={"num_bins": 2048})
finer.collect_data(Reader())
low, high = (float(v) for v in finer.compute_data().data["x"].range_value)
print("Entropy with 2048 bins:", high - low)
assert spans["MinMax"] > 900
assert abs(spans["Entropy"] / spans["MinMax"] - 1) < 1e-6, "it clips"
assert high - low < 500
PYTHON
