"""Says what an interpreter is; runs inside the examined Python, so 3.9 syntax and stdlib only."""

# Plain os calls start faster than pathlib and take most of the second that a look may last.
# ruff: noqa: PTH112, PTH113, PTH118

from __future__ import annotations

import json
import os
import platform
import site
import sys
import sysconfig
from typing import Any


def describe() -> dict[str, Any]:
    """What this interpreter says about itself, as a dict of plain values."""
    in_venv = sys.prefix != sys.base_prefix
    stdlib = sysconfig.get_path("stdlib") or ""
    marker = os.path.join(stdlib, "EXTERNALLY-MANAGED")
    headers = os.path.join(sysconfig.get_path("include") or "", "Python.h")
    sites = []
    for scheme in ("purelib", "platlib"):
        path = sysconfig.get_path(scheme)
        if path and path not in sites:
            sites.append(path)
    for path in getattr(site, "getsitepackages", list)():
        if path not in sites and os.path.isdir(path):
            sites.append(path)
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
        "soabi": sysconfig.get_config_var("SOABI") or "",
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
        "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "libc": " ".join(platform.libc_ver()).strip() if os.name == "posix" else "",
        "manylinux_veto": veto,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(describe()))
