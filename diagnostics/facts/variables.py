"""The environment variables that change how PyTorch and its neighbours behave."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

_WATCHED = re.compile(
    r"^(CUDA|NVIDIA|NV_|TORCH|PYTORCH|OMP_|MKL_|KMP_|GOMP_|GOTO_|OPENBLAS_|NUMEXPR_|NCCL_|GLOO_|"
    r"MASTER_(ADDR|PORT)$|RANK$|WORLD_SIZE$|LOCAL_RANK$|HF_|HUGGINGFACE|TRANSFORMERS_|XDG_CACHE_HOME$|"
    r"LD_(LIBRARY_PATH|PRELOAD)$|PYTHON|CONDA_|VIRTUAL_ENV$|PATH$|TMPDIR$|CC$|CXX$|CFLAGS$|"
    r"TRITON_|INDUCTOR|ORT_|PIP_|UV_|HIP_|ROCR_|HSA_|MALLOC_|PROTOCOL_BUFFERS|"
    r"(HTTPS?|NO|ALL)_PROXY$|(https?|no|all)_proxy$)"
)
SECRET = re.compile(r"TOKEN|KEY|SECRET|PASSW|AUTH|CREDENTIAL|COOKIE", re.IGNORECASE)
HIDDEN = "<set>"
"""Replaces the value of a variable whose name marks it as secret."""


def watched(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the watched variables, sorted; secret ones never leave this function with their value."""
    return {
        name: HIDDEN if SECRET.search(name) and value else value[:4096]
        for name, value in sorted(environment.items())
        if _WATCHED.match(name)
    }
