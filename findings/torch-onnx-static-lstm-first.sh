#!/usr/bin/env bash
# torch 2.15.0: once an LSTM was exported to ONNX with a fixed length, the same process cannot export one
# with a dynamic length any more: 'tracing inferred a static shape of 10' for an axis that exports well in a fresh
# process, or when the dynamic export comes first. Hence one process per export.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
${PYTHON:-python3} -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.15.0 onnx==1.23.2 onnxscript==0.7.0 numpy==2.3.4
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import subprocess
import sys

SCRIPT = '''
import sys
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.recurrent, self.head = nn.LSTM(4, 8, batch_first=True), nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.recurrent(x)[0][:, -1])


for kind in sys.argv[1:]:
    shapes = ({0: "batch", 1: "time"},) if kind == "dynamic" else None
    try:
        torch.onnx.export(Net().eval(), (torch.randn(2, 10, 4),), dynamo=True, verbose=False, dynamic_shapes=shapes)
        print(kind, "exported")
    except Exception as error:
        print(kind, "refused:", "static shape of 10" in str(error))
'''


def exports(*kinds):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *kinds], capture_output=True, text=True, check=True
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(("static", "dynamic"))]
    print(*lines, sep=", ")
    return lines


assert exports("dynamic") == ["dynamic exported"]
assert exports("dynamic", "static") == ["dynamic exported", "static exported"]
assert exports("static", "dynamic") == ["static exported", "dynamic refused: True"]
PYTHON
