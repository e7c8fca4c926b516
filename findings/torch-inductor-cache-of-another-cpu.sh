#!/usr/bin/env bash
# torch 2.15.0: the key of Inductor's FX graph cache leaves out the vector instructions that the code was generated for.
# A cache that was filled with AVX-512 (a home folder on two machines, a folder that CI keeps, ATEN_CPU_CAPABILITY) gives
# wrong numbers without a word under AVX2, and a C++ compile error without vectors. torch.compiler.config.cache_key_tag
# (TORCH_COMPILE_CACHE_KEY_TAG) keeps them apart. Needs a CPU with AVX-512 and a C++ compiler.
set -euo pipefail
grep -q avx512f /proc/cpuinfo || { echo "this CPU has no AVX-512: nothing to see here"; exit 0; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
${PYTHON:-python3} -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.15.0 setuptools
cat > "$folder/sum.py" <<'PYTHON'
import torch

x = torch.linspace(-9, 9, 4096).view(8, -1)


def f(x):
    return x.relu().sum(-1)


try:
    found = torch.compile(f)(x).sum().item()
except Exception as error:
    found = next(line for line in str(error).splitlines() if "error:" in line)
print(torch.backends.cpu.get_cpu_capability(), "compiled", found, "eager", f(x).sum().item())
PYTHON
for tag in "" apart; do
    export TORCHINDUCTOR_CACHE_DIR="$folder/cache-$tag"
    for level in avx512 avx2 default; do
        ATEN_CPU_CAPABILITY=$level TORCH_COMPILE_CACHE_KEY_TAG=${tag:+$level} \
            "$folder/venv/bin/python" "$folder/sum.py" 2>/dev/null | sed "s/^/${tag:-shared} /" | tee -a "$folder/seen"
    done
done
"$folder/venv/bin/python" - "$folder/seen" <<'PYTHON'
import math
import re
import sys


def is_near(found, eager):
    return "error:" not in found and math.isclose(float(found), float(eager), rel_tol=1e-4)


lines = open(sys.argv[1]).read().splitlines()
seen = [re.match(r"(\w+) (\S+) compiled (.*) eager (.*)", line).groups() for line in lines]
right = {(tag, level): is_near(found, eager) for tag, level, found, eager in seen}
print(right)
shared = [ok for (tag, _), ok in right.items() if tag == "shared"]
apart = [ok for (tag, _), ok in right.items() if tag == "apart"]
# The first fills the cache and is right; the second has other numbers, the third an error of the compiler.
assert shared == [True, False, False], "the behaviour has changed"
assert apart == [True, True, True], "the tag does not keep them apart any more"
PYTHON
