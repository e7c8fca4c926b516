#!/usr/bin/env bash
# torch 2.15.0: the same seed draws other normal numbers on a CPU without AVX2 (ATEN_CPU_CAPABILITY=default) than with it:
# two in five differ, by up to 2e-6, from 16 numbers on; below 16 they are the same. torch.rand is the same everywhere,
# but uniform_ between other bounds, from which nn.Linear draws its weights, is not. A graph that was exported from "seed
# 0" under one instruction set is thus off from "seed 0" under another by ten times the rounding of float32: keep the
# weights, not the seed. Needs an x86 CPU with AVX2.
set -euo pipefail
grep -q avx2 /proc/cpuinfo || { echo "this CPU has no AVX2: nothing to see here"; exit 0; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
${PYTHON:-python3} -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.15.0 numpy==2.4.6
cat > "$folder/draw.py" <<'PYTHON'
import sys

import torch

drawn = {}
for name, draw in {
    "randn(15)": lambda: torch.randn(15),
    "randn(100000)": lambda: torch.randn(100_000),
    "rand(100000)": lambda: torch.rand(100_000),
    "Linear(200, 200)": lambda: torch.nn.Linear(200, 200).weight.detach(),
}.items():
    torch.manual_seed(0)
    drawn[name] = draw()
torch.save(drawn, sys.argv[1])
PYTHON
for level in default avx2; do
    ATEN_CPU_CAPABILITY=$level "$folder/venv/bin/python" "$folder/draw.py" "$folder/$level.pt"
done
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import torch

one, two = (torch.load(f"{sys.argv[1]}/{level}.pt") for level in ("default", "avx2"))
shares = {name: (one[name] != two[name]).double().mean().item() for name in one}
furthest = {name: (one[name] - two[name]).abs().max().item() for name in one}
for name in one:
    print(f"{name}: {shares[name]:.1%} differ, by {furthest[name]:.1e} at most")
assert shares["randn(15)"] == shares["rand(100000)"] == 0, "the behaviour has changed"
assert 0.2 < shares["randn(100000)"] < 0.6, "the behaviour has changed"
assert 0 < furthest["randn(100000)"] < 1e-5, "the behaviour has changed"
assert shares["Linear(200, 200)"] > 0, "the behaviour has changed"
PYTHON
