"""The files of a user's project that a Python file reads by importing them, found without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

DYNAMIC = ("import_module", "__import__", "exec", "eval", "run_path", "run_module")
"""Calls behind which an import may hide that the syntax tree does not show."""


def files_read_by(path: Path, roots: Sequence[Path] = ()) -> list[Path]:
    """Return the file and every file below its folder that it imports, directly or not, sorted.

    A file that imports by name at run time may read any: then all files beside it count. A file that does not parse
    imports nothing. Imports are looked up from the folder of `path`, which is on the import path when it runs, and
    from `roots`.
    """
    root = path.resolve().parent
    places = (root, *(folder.resolve() for folder in roots))
    found: set[Path] = set()
    todo = [path.resolve()]
    while todo:
        file = todo.pop()
        if file in found or not file.is_file():
            continue
        found.add(file)
        try:
            tree = ast.parse(file.read_bytes())
        except (SyntaxError, ValueError):
            continue
        for name in _imported(tree, file, root):
            todo += (file for place in places for file in _files_of(name, place))
        if any(_is_dynamic(node) for node in ast.walk(tree)):
            todo += (file for place in places for file in place.glob("*.py"))
    return sorted(found)


def _imported(tree: ast.Module, file: Path, root: Path) -> Iterator[str]:
    """Yield the dotted names that the file imports; relative ones from the root."""
    package = list(file.relative_to(root).parent.parts) if root in file.parents else []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            if module:
                yield module
            for alias in node.names:  # a name may be a module of the package
                yield f"{module}.{alias.name}" if module else alias.name


def _files_of(name: str, root: Path) -> list[Path]:
    """Return the files that importing the dotted name from `root` runs: the packages on the way, and the module."""
    parts = name.split(".")
    files = []
    for end in range(1, len(parts) + 1):
        place = root.joinpath(*parts[:end])
        files += [f for f in (place.with_suffix(".py"), place / "__init__.py") if f.is_file()]
    return files


def _is_dynamic(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    is_method = isinstance(node.func, ast.Attribute)
    return name in DYNAMIC and not (is_method and name in ("eval", "exec"))
