"""Describes an interpreter; runs inside the examined Python: 3.9 syntax, standard library alone."""

# Plain os calls start faster than pathlib and take most of the second that a run may take.
# ruff: noqa: PTH112, PTH113, PTH118

from __future__ import annotations

import json
import os
import platform
import site
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from typing import Any


def describe() -> dict[str, Any]:
    """Return what this interpreter is, as a dict of plain values."""
    in_venv = sys.prefix != sys.base_prefix
    stdlib = os.path.split(os.__file__)[0]
    marker = os.path.join(stdlib, "EXTERNALLY-MANAGED")
    version = sys.version_info
    minor = f"python{version[0]}.{version[1]}{getattr(sys, 'abiflags', '')}"
    headers = os.path.join(sys.base_prefix, "include", minor, "Python.h")
    # As `site` computes them; sysconfig knows more and takes 20 ms to import.
    sites = [
        p for p in getattr(site, "getsitepackages", list)() if os.path.isdir(p) or p in sys.path
    ]
    paths = list(sys.path)
    veto = ""
    for path in paths:
        candidate = os.path.join(path, "_manylinux.py")
        if path and os.path.isfile(candidate):
            veto = candidate
            break
    return {
        "executable": sys.executable or "",
        "version": platform.python_version(),
        "implementation": sys.implementation.name,
        "soabi": EXTENSION_SUFFIXES[0].split(".")[1] if EXTENSION_SUFFIXES else "",
        "machine": platform.machine(),
        "prefix": sys.prefix,
        "base_prefix": sys.base_prefix,
        "paths": [path for path in paths if path],
        "site_packages": [path for path in sites if path in paths or os.path.isdir(path)],
        "user_site": getattr(site, "USER_SITE", None) or site.getusersitepackages(),
        "in_venv": in_venv,
        "externally_managed": marker if not in_venv and os.path.isfile(marker) else "",
        "has_pip": any(os.path.isdir(os.path.join(path, "pip")) for path in paths if path),
        "has_headers": os.path.isfile(headers),
        "headers": headers,
        "free_threaded": "t" in getattr(sys, "abiflags", ""),
        "libc": " ".join(platform.libc_ver()).strip() if os.name == "posix" else "",
        "manylinux_veto": veto,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(describe()))
