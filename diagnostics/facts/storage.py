"""Folders that installs, caches and compilers write to: space, rights and mount flags."""

# Plain os calls start faster than pathlib and take most of the second that a run may take.
# ruff: noqa: PTH100, PTH111, PTH112, PTH118, PTH120

from __future__ import annotations

import os
from contextlib import suppress

from diagnostics.records import Disk, Interpreter


def disks(interpreter: Interpreter, variables: dict[str, str]) -> tuple[Disk, ...]:
    """Return one row per purpose; a folder that does not exist yet is judged by its parent."""
    home = os.path.expanduser("~")
    cache = variables.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
    temporary = variables.get("TMPDIR") or _temporary()
    site = next(iter(interpreter.site_packages), interpreter.prefix)
    wanted = {
        "environment": site,
        "temporary": temporary,
        "pip cache": variables.get("PIP_CACHE_DIR") or os.path.join(cache, "pip"),
        "hub cache": hub_home(variables),
        "extensions": variables.get("TORCH_EXTENSIONS_DIR")
        or os.path.join(cache, "torch_extensions"),
        "inductor": variables.get("TORCHINDUCTOR_CACHE_DIR") or temporary,
        "triton": variables.get("TRITON_CACHE_DIR")
        or os.path.join(variables.get("TRITON_HOME") or home, ".triton"),
        "current folder": os.getcwd(),
    }
    return tuple(_examine(purpose, path) for purpose, path in wanted.items() if path)


def _temporary() -> str:
    """Where `tempfile` would write."""
    candidates = (os.environ.get("TEMP", ""), os.environ.get("TMP", ""), "/tmp", "/var/tmp")
    usable = (path for path in candidates if path and os.access(path, os.W_OK | os.X_OK))
    return next(usable, os.getcwd())


def hub_home(variables: dict[str, str]) -> str:
    """Return the Hugging Face folder as huggingface_hub resolves it."""
    home = os.path.expanduser("~")
    cache = variables.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
    return os.path.expanduser(variables.get("HF_HOME") or os.path.join(cache, "huggingface"))


def _examine(purpose: str, path: str) -> Disk:
    existing = os.path.abspath(path)
    while not os.path.lexists(existing) and existing != os.path.dirname(existing):
        existing = os.path.dirname(existing)
    is_directory = os.path.isdir(existing)
    writable = os.access(existing, os.W_OK | os.X_OK) if is_directory else False
    total = free = -1
    noexec = False
    with suppress(OSError, AttributeError):
        state = os.statvfs(existing)
        total, free = state.f_blocks * state.f_frsize, state.f_bavail * state.f_frsize
        noexec = bool(state.f_flag & getattr(os, "ST_NOEXEC", 8))
    return Disk(
        purpose=purpose,
        path=path,
        exists=os.path.isdir(path),
        is_directory=is_directory,
        writable=writable,
        noexec=noexec,
        total=total,
        free=free,
        blocker="" if is_directory and writable else existing,
    )
