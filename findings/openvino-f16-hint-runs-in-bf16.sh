#!/usr/bin/env bash
# openvino 2026.4.1, CPU plugin: without INFERENCE_PRECISION_HINT a CPU with bfloat16 instructions computes a float32 graph in
# bfloat16, and the hint f16 on a CPU without AVX512-FP16 becomes bf16; neither says a word. The property of the compiled model
# tells, so a benchmark has to say the hint and to read it back. Needs a CPU with AVX512-BF16 or AMX and without AVX512-FP16.
set -euo pipefail
grep -qE 'avx512_bf16|amx_bf16' /proc/cpuinfo || { echo "this CPU has no bfloat16 instructions: nothing to see here"; exit 0; }
grep -q avx512_fp16 /proc/cpuinfo && { echo "this CPU computes in float16: nothing to see here"; exit 0; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
${PYTHON:-python3} -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check openvino==2026.4.1 numpy
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import openvino as ov
from openvino import opset13 as op

x = op.parameter([4, 256], np.float32)
weights = np.random.default_rng(0).standard_normal((256, 256)).astype(np.float32)
model = ov.Model([op.matmul(x, weights, False, False)], [x])
values = np.random.default_rng(1).standard_normal((4, 256)).astype(np.float32)
exact = values.astype(np.float64) @ weights
seen = {}
for hint in (None, "f32", "bf16", "f16"):
    settings = {"INFERENCE_PRECISION_HINT": hint} if hint else {}
    compiled = ov.Core().compile_model(model, "CPU", settings)
    got = compiled.get_property("INFERENCE_PRECISION_HINT").type_name
    error = float(np.abs(compiled(values)[0] - exact).max() / np.abs(exact).max())
    seen[hint] = got
    print(f"hint {hint}: {got}, off by {error:.1e} of the largest output")
assert seen == {None: "bf16", "f32": "f32", "bf16": "bf16", "f16": "bf16"}, "the behaviour has changed"
PYTHON
