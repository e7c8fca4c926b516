"""A dtype for which the CPU has no instructions is told as computed by detours."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from suite.backends.eager import emulation_of  # noqa: E402

NOTHING = {"architecture": "x86_64", "avx512_f": True, "avx512_bf16": False, "amx_bf16": False}


@pytest.mark.parametrize(
    "dtype, has, lack",
    [
        ("float32", {}, ""),
        ("bfloat16", {}, "bfloat16: this CPU has no AMX or AVX512-BF16"),
        ("bfloat16", {"avx512_bf16": True}, ""),
        ("bfloat16", {"amx_bf16": True}, ""),
        ("float16", {"avx512_bf16": True}, "float16: this CPU has no AMX-FP16 or AVX512-FP16"),
        ("float16", {"avx512_fp16": True}, ""),
        ("bfloat16", {"architecture": "arm64"}, ""),
    ],
)
def test_what_a_cpu_lacks_for_a_dtype_is_named(dtype, has, lack, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {**NOTHING, **has})
    assert emulation_of(dtype) == lack
