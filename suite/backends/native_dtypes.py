"""Worker side. Whether a device computes a dtype itself, or libraries emulate it by converting to float32 and back."""

from __future__ import annotations

import re
from typing import Final

import torch

from suite.axes import is_accelerator

MARKS: Final = {"bfloat16": r"(^|_)bf16$", "float16": r"(^|_)fp16(_arith)?$"}
"""Dtype -> the names of the CPU's instructions for it: avx512_bf16, amx_bf16, on Arm bf16 and fp16_arith."""


def emulated(device: str, dtype: str) -> str:
    """Return why the dtype is emulated on that device; empty if it is not, or if torch (before 2.10) cannot tell."""
    if dtype not in MARKS:
        return ""
    if is_accelerator(device):
        is_native = dtype != "bfloat16" or torch.cuda.is_bf16_supported(including_emulation=False)
        return "" if is_native else f"{torch.cuda.get_device_name(device)} has no {dtype}"
    known: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    has = [name for name, value in known.items() if value is True]
    if not known or any(re.search(MARKS[dtype], name) for name in has):
        return ""
    return f"this CPU has no instructions for {dtype}"
