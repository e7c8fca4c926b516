"""Worker side. The GPU and the launcher: a process forked after CUDA was initialized cannot use the GPU."""

from __future__ import annotations

import os
import sys
from typing import Final

NVML_CHECK: Final = "PYTORCH_NVML_BASED_CUDA_CHECK"
"""If set, torch.cuda.is_available() asks NVML and does not initialize the driver, which a fork cannot share."""


def spare_torchao() -> None:
    """Make transformers work without torchao in this process.

    Its models import torchao for a quantizer that is not used here, and torchao 0.18 queries the GPU at import. The
    torchao recipe imports it itself, after the fork.
    """
    try:
        from transformers.utils import import_utils
    except ImportError:
        return
    ask = import_utils._is_package_available
    import_utils._is_package_available = lambda *_, **__: (False, "N/A")
    try:
        import_utils.is_torchao_available()  # caches its first answer
    finally:
        import_utils._is_package_available = ask


def is_opened() -> bool:
    """Return whether PyTorch has initialized CUDA in this process."""
    torch = sys.modules.get("torch")
    return torch is not None and torch.cuda.is_initialized()


def forks_can_use_it() -> bool:
    """Return whether a child forked now can use the GPU, tested in a forked child."""
    torch = sys.modules.get("torch")
    if torch is None:
        return True
    pid = os.fork()
    if pid == 0:
        os._exit(int(torch.cuda._is_in_bad_fork()))
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status) == 0
