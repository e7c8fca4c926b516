#!/usr/bin/env bash
# torch 2.15.0: FlopCounterMode counts 0 for nn.LSTM on a CPU (one fused operator, with or without gradients), and
# 0 for nn.TransformerEncoderLayer in eval mode without gradients (its fused fast path), without a warning. nn.GRU
# and the same encoder layer with gradients are counted.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
${PYTHON:-python3} -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.15.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def flops(module, x, *, grad):
    with torch.set_grad_enabled(grad), FlopCounterMode(display=False) as counter:
        module(x)
    return counter.get_total_flops()


lstm, gru = nn.LSTM(8, 16, batch_first=True), nn.GRU(8, 16, batch_first=True)
layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True).eval()
steps, tokens = torch.randn(2, 5, 8), torch.randn(2, 5, 16)
seen = {
    "LSTM": flops(lstm, steps, grad=True),
    "LSTM, no_grad": flops(lstm, steps, grad=False),
    "GRU": flops(gru, steps, grad=True),
    "encoder layer": flops(layer, tokens, grad=True),
    "encoder layer, no_grad": flops(layer, tokens, grad=False),
}
print("torch", torch.__version__, seen)
assert seen["LSTM"] == seen["LSTM, no_grad"] == seen["encoder layer, no_grad"] == 0
assert seen["GRU"] > 0
assert seen["encoder layer"] > 0
PYTHON
