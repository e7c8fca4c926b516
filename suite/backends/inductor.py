"""Worker side. torch.compile with cache entries of their own for every instruction set.

The key of Inductor's cache (torch 2.15) leaves out which vector instructions the code was generated for. On a machine
or under an ATEN_CPU_CAPABILITY with fewer of them it then loads code for longer vectors, which ends in a C++ compile
error or, worse, in wrong numbers: findings/torch-inductor-cache-of-another-cpu.sh.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch
import torch._inductor
from torch.compiler import config

TAG: Final = "TORCH_COMPILE_CACHE_KEY_TAG"
"""Environment variable with a tag of the user's own."""


def compiled(program: Callable[..., Any], **settings: Any) -> Any:
    """Return the module or function through torch.compile, with its `settings`; it is compiled in its first pass."""
    config.cache_key_tag = cache_tag()
    return torch.compile(program, **settings)


def packaged(program: torch.export.ExportedProgram, path: Path) -> None:
    """Compile an exported program ahead of time and write its package to `path`, which ends in `.pt2`."""
    config.cache_key_tag = cache_tag()
    with torch.no_grad():
        torch._inductor.aoti_compile_and_package(program, package_path=str(path))


def cache_tag() -> str:
    """Return what this process may run of the CPU's instructions, after the user's own tag if there is one."""
    own = (os.environ.get(TAG, ""), torch.backends.cpu.get_cpu_capability())
    # Before torch 2.10 the list is missing; the level alone tells vectors of one length from those of another.
    known: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    has = sorted(name for name, value in known.items() if value is True)
    return " ".join(filter(None, (*own, *has)))
