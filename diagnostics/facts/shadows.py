"""Files and folders that Python would import instead of the installed libraries."""

# Plain os calls start faster than pathlib and take most of the second that a run may take.
# ruff: noqa: PTH113, PTH118

from __future__ import annotations

import os
import sys

from diagnostics.records import Interpreter, Shadow

WATCHED = frozenset(
    [
        "torch",
        "torchvision",
        "torchaudio",
        "onnx",
        "onnxruntime",
        "onnxscript",
        "netron",
        "transformers",
        "numpy",
        "huggingface_hub",
        "tokenizers",
        "safetensors",
        "triton",
        "functorch",
        "PIL",
        "scipy",
        "rich",
    ]
)
DISTRIBUTIONS = {"PIL": "pillow", "functorch": "torch"}
"""Import name -> distribution, where they differ."""
_HARMLESS = frozenset(
    [
        "test",
        "tests",
        "this",
        "antigravity",
        "turtle",
        "turtledemo",
        "idlelib",
        "lib2to3",
        "distutils",
        "ensurepip",
        "venv",
        "tkinter",
        "curses",
        "dbm",
        "sqlite3",
        "__main__",
        "__hello__",
        "__phello__",
        "site",
        "sitecustomize",
    ]
)
"""Standard library names that nothing here imports."""


def shadows(interpreter: Interpreter, variables: dict[str, str]) -> tuple[Shadow, ...]:
    """Return what is found before site-packages under a watched or a standard library name."""
    standard = frozenset(sys.stdlib_module_names) - _HARMLESS
    site = {os.path.realpath(path) for path in interpreter.site_packages}
    found: list[Shadow] = []
    folders = [("current folder", os.getcwd())]
    extra = variables.get("PYTHONPATH", "")
    folders += [("PYTHONPATH", path or os.getcwd()) for path in extra.split(os.pathsep) if extra]
    for where, folder in {path: place for place, path in reversed(folders)}.items():
        if os.path.realpath(where) in site or _is_stdlib(where, interpreter):
            continue
        found += _scan(where, folder, standard)
    return tuple(sorted(found, key=lambda shadow: (shadow.name, shadow.path)))


def _is_stdlib(folder: str, interpreter: Interpreter) -> bool:
    return os.path.isfile(os.path.join(folder, "os.py")) and folder in interpreter.paths


def _scan(folder: str, where: str, standard: frozenset[str]) -> list[Shadow]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return []
    found = []
    # `pip install --target` puts a library where somebody wants it, with its record beside it: no accident.
    installed = {
        entry.name.partition("-")[0].lower()
        for entry in entries
        if entry.name.endswith(".dist-info")
    }
    for entry in entries:
        stem, dot, suffix = entry.name.partition(".")
        if stem not in WATCHED and stem not in standard:
            continue
        if entry.is_dir() and DISTRIBUTIONS.get(stem, stem) in installed:
            continue
        if dot and suffix in ("py", "pyc") and entry.is_file():
            kind = "file"
        elif not dot and entry.is_dir():
            kind = (
                "package" if os.path.isfile(os.path.join(entry.path, "__init__.py")) else "folder"
            )
        else:
            continue
        found.append(Shadow(name=stem, path=entry.path, kind=kind, where=where))
    return found
