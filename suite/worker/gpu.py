"""Worker side. The GPU and the launcher: what is forked after a look at the GPU cannot use it any more."""

from __future__ import annotations

import os
import sys
from typing import Final

NVML_CHECK: Final = "PYTORCH_NVML_BASED_CUDA_CHECK"
"""With this set, torch.cuda.is_available() asks NVML and leaves the driver, which a fork cannot share, alone."""


def spare_torchao() -> None:
    """Makes transformers go on without torchao in this process.

    Its models import it for a quantizer that we do not use, and torchao 0.18 asks the GPU what it can do while it is
    imported. Our own lane imports torchao by itself, after the fork.
    """
    try:
        from transformers.utils import import_utils
    except ImportError:
        return
    ask = import_utils._is_package_available
    import_utils._is_package_available = lambda *_, **__: (False, "N/A")
    try:
        import_utils.is_torchao_available()  # keeps its first answer
    finally:
        import_utils._is_package_available = ask


def is_opened() -> bool:
    """Whether PyTorch has opened the GPU in this process."""
    torch = sys.modules.get("torch")
    return torch is not None and torch.cuda.is_initialized()


def forks_can_use_it() -> bool:
    """Whether a child that is forked now may use the GPU, asked in one."""
    torch = sys.modules.get("torch")
    if torch is None:
        return True
    pid = os.fork()
    if pid == 0:
        os._exit(int(torch.cuda._is_in_bad_fork()))
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status) == 0
