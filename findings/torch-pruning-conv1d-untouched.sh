#!/usr/bin/env bash
# torch-pruning 1.6.1 on transformers 5.23.0: a network of transformers' Conv1D layers (GPT-2's linear layers)
# comes out of the pruner as it went in, without an error: half of the hidden units were asked for, no parameter
# was removed. The same network of nn.Linear loses half. Only a count of the parameters shows it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
${PYTHON:-python3} -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.15.0 torch-pruning==1.6.1 transformers==5.23.0 numpy==2.3.4
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import importlib.metadata

import torch
import torch_pruning
import transformers
from torch import nn
from transformers.pytorch_utils import Conv1D


def parameters_after(hidden, last):
    module = nn.Sequential(hidden, nn.GELU(), last)
    before = sum(p.numel() for p in module.parameters())
    torch_pruning.pruner.BasePruner(
        module,
        torch.randn(2, 8),
        importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
        pruning_ratio=0.5,
        ignored_layers=[last],
    ).step()
    return before, sum(p.numel() for p in module.parameters())


linear = parameters_after(nn.Linear(8, 16), nn.Linear(16, 4))
conv1d = parameters_after(Conv1D(16, 8), Conv1D(4, 16))
print("torch-pruning", importlib.metadata.version("torch-pruning"), "transformers", transformers.__version__)
print("nn.Linear", linear, "Conv1D", conv1d)
assert linear == (212, 108)
assert conv1d == (212, 212)
PYTHON
