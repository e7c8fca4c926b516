#!/usr/bin/env bash
# CPython 3.11.7 with the 106,000 objects of sympy 1.14.0: gc.get_freeze_count() counts by walking through every frozen
# object, so that a server that froze what it imported, which is what gc.freeze() is for, pays for the question in each
# of its forks: 15 ms there, and 13 µs where nothing is frozen.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
${PYTHON:-python3} -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check sympy==1.14.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import gc
import os
import pkgutil
import statistics
import sys
import time
import warnings
from importlib import import_module

import sympy

warnings.simplefilter("ignore")


def microseconds():
    """The middle of nine calls, each in a fork of its own as a server's worker makes it."""
    found = []
    for _ in range(9):
        read, write = os.pipe()
        if os.fork() == 0:
            began = time.perf_counter()
            gc.get_freeze_count()
            os.write(write, repr(1e6 * (time.perf_counter() - began)).encode())
            os._exit(0)
        os.wait()
        found.append(float(os.read(read, 100)))
        os.close(read), os.close(write)
    return statistics.median(found)


gc.collect()
gc.unfreeze()
few, least = gc.get_freeze_count(), microseconds()
for module in pkgutil.walk_packages(sympy.__path__, "sympy."):
    if not any(part in module.name for part in ("tests", "benchmarks", "this")):
        try:
            import_module(module.name)
        except Exception:  # an optional dependency is missing
            continue
gc.freeze()
many, most = gc.get_freeze_count(), microseconds()
print(f"Python {sys.version.split()[0]}, sympy {sympy.__version__}: {few} frozen {least:.1f} µs, {many} frozen {most:.0f} µs")
assert many > 50_000
assert most > 100 * least
PYTHON
