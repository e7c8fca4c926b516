"""Checks whether a local file or folder would be imported in place of an installed library."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from diagnostics.environment import Environment
from diagnostics.facts.shadows import DISTRIBUTIONS
from diagnostics.finding import Finding, Level
from diagnostics.finding_builders import by_hand, export, finding
from diagnostics.install_commands import install
from diagnostics.registry import check
from diagnostics.requirement import normalise

CORE = frozenset({"torch", "torchvision", "numpy", "onnx", "onnxruntime", "transformers", "netron"})


@check("local-file-shadows", "No local file hides a library", "python")
def local_file(environment: Environment) -> Iterator[Finding]:
    """A file or package in the current folder or in PYTHONPATH has a library's name.

    Why: Python looks there first: `module 'torch' has no attribute 'nn'`, `cannot import name
    'Random' from 'random'`. Cure: rename it.
    """
    for shadow in environment.shadows:
        if shadow.kind == "folder":
            continue
        new = shadow.path.rpartition("/")
        renamed = f"{new[0]}/my_{new[2]}"
        fixes = [
            by_hand(
                f"mv {shlex.quote(shadow.path)} {shlex.quote(renamed)}; "
                f"rm -rf {shlex.quote(new[0] + '/__pycache__')}",
                "gives it a name of its own",
            )
        ]
        if shadow.where == "PYTHONPATH":
            fixes.insert(0, export("unset PYTHONPATH", "leaves the folder out"))
        yield finding(
            Level.ERROR,
            f"{shadow.path} is imported in place of {_what(environment, shadow.name)}",
            subject=shadow.name,
            cause=f"the {shadow.where} is searched before the installed packages",
            evidence={shadow.path: f"a {shadow.kind} named {shadow.name}"},
            fixes=tuple(fixes),
            explains=(f"deep-import:{shadow.name}",),
        )


def _what(environment: Environment, name: str) -> str:
    project = normalise(DISTRIBUTIONS.get(name, name))
    if project in environment.packages:
        return f"the installed {project}"
    return f"the library {name}" if name in CORE else f"Python's own {name}"


@check("empty-dir-namespace", "No folder stands in for a library that is not installed", "python")
def empty_folder(environment: Environment) -> Iterator[Finding]:
    """A folder without `__init__.py` has the name of a library that is not installed.

    Why: Python imports it as an empty package: `module 'torch' has no attribute 'tensor'` in place
    of `No module named 'torch'`. Cure: install the library, or run elsewhere.
    """
    for shadow in environment.shadows:
        project = normalise(DISTRIBUTIONS.get(shadow.name, shadow.name))
        if shadow.kind != "folder" or shadow.name not in CORE or project in environment.packages:
            continue
        yield finding(
            Level.ERROR,
            f"the folder {shadow.path} is imported as {shadow.name}, which is not installed",
            subject=shadow.name,
            cause="a folder without __init__.py is a namespace package",
            evidence={shadow.path: "a folder"},
            fixes=(
                install(environment, project, why=f"an installed {shadow.name} goes first"),
                by_hand(f"cd .. # away from {shadow.path}", "the folder is then not searched"),
            ),
        )
