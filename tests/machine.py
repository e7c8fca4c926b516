"""The machine of a measurement in words, for results in docs/results."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Final

FLAGS: Final = (
    *("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16"),
    *("amx_tile", "amx_int8", "amx_bf16"),
)
"""Instruction sets by which libraries choose their kernels."""


def processor() -> str:
    """Cores, name and FLAGS of the CPU, as far as Linux tells them."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8") if sys.platform == "linux" else ""
    name = re.search(r"^model name\s*:\s*(.*)$", text, re.MULTILINE)
    flags = re.search(r"^flags\s*:(.*)$", text, re.MULTILINE)
    has = set(flags[1].split()) if flags else set()
    known = " ".join(flag for flag in FLAGS if flag in has) or "no AVX2"
    return f"{os.cpu_count()} cores, {name[1] if name else 'CPU unknown'}, {known}"


def machine(packages: Sequence[str] = ("torch", "onnxruntime")) -> str:
    """Today's date, the processor, the versions of packages, and the load of the last minute."""
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return f"{date.today():%Y-%m-%d}; {processor()}; {versions}; load {os.getloadavg()[0]:.1f}"
