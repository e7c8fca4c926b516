"""Compilers and build tools, found the way torch finds them."""

# Plain os calls start faster than pathlib and take most of the second that a run may take.
# ruff: noqa: PTH112, PTH113, PTH120

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from pathlib import Path

from diagnostics.facts.deadline import run
from diagnostics.facts.procfs import text, which
from diagnostics.records import Interpreter, Toolchain

_RELEASE = re.compile(r"release (\d+\.\d+)")
NVCC_SECONDS = 3.0


def describe(interpreter: Interpreter, variables: dict[str, str]) -> Toolchain:
    """Return what a build started from this shell would use."""
    asked = variables.get("CXX", "")
    path = variables.get("PATH", "")
    own_bin = os.path.dirname(interpreter.executable)
    search = os.pathsep.join(part for part in (path, own_bin) if part)
    names = [asked.split()[0]] if asked.split() else ["g++", "c++", "clang++"]
    nvcc = which("nvcc", path)
    home, source = _cuda_home(variables, nvcc)
    if not nvcc and home and os.access(f"{home}/bin/nvcc", os.X_OK):
        nvcc = f"{home}/bin/nvcc"
    return Toolchain(
        cxx=next((hit for name in names if (hit := which(name, path))), ""),
        cxx_asked=asked,
        cc=which(variables.get("CC", "") or "cc", path),
        ninja=which("ninja", search),
        nvcc=nvcc,
        nvcc_release=_release(nvcc, home),
        cuda_home=home,
        cuda_home_source=source,
        cuda_home_has_headers=os.path.isfile(f"{home}/include/cuda_runtime.h"),
        git=which("git", path),
        uv=which("uv", search),
    )


def _cuda_home(variables: dict[str, str], nvcc: str) -> tuple[str, str]:
    """As `torch.utils.cpp_extension` does: the variable, nvcc's folder, /usr/local/cuda."""
    for name in ("CUDA_HOME", "CUDA_PATH"):
        if variables.get(name):
            return variables[name], name
    if nvcc:
        return str(Path(nvcc).parent.parent), "nvcc"
    if os.path.isdir("/usr/local/cuda"):
        return "/usr/local/cuda", "default"
    return "", ""


def _release(nvcc: str, home: str) -> str:
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        data = json.loads(text(f"{home}/version.json"))
        return ".".join(str(data["cuda"]["version"]).split(".")[:2])
    if not nvcc:
        return ""
    import subprocess

    with suppress(OSError, subprocess.SubprocessError):
        done = run([nvcc, "--version"], NVCC_SECONDS)
        found = _RELEASE.search(done.stdout.decode(errors="replace"))
        return found[1] if found else ""
    return ""
