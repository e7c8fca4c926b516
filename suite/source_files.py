"""The files of a user's project that a Python file reads by importing them, found without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

DYNAMIC = ("import_module", "__import__", "exec", "eval", "run_path", "run_module")
"""Calls behind which an import may hide that the syntax tree does not show."""


def files_read_by(path: Path, roots: Sequence[Path] = ()) -> list[Path]:
    """Return the file and every file below its folder that it imports, directly or not, sorted.

    A file that imports by name at run time may read any: then all files beside it count, see `imports_by_name`. A file
    that does not parse imports nothing. Imports are looked up from the folder of `path`, which is on the import path
    when it runs, and from `roots`; relative ones from the package that a file is in, as any of them sees it.
    """
    root = path.resolve().parent
    places = tuple(dict.fromkeys((root, *(folder.resolve() for folder in roots))))
    found: set[Path] = set()
    todo = [path.resolve()]
    while todo:
        file = todo.pop()
        if file in found or not file.is_file():
            continue
        found.add(file)
        tree = _parsed(file)
        if tree is None:
            continue
        for package in _packages_of(file, places):
            for name in _imported(tree, package):
                todo += (file for place in places for file in _files_of(name, place))
        if _is_dynamic(tree):
            todo += (file for place in places for file in place.glob("*.py"))
    return sorted(found)


def _packages_of(file: Path, places: Sequence[Path]) -> list[list[str]]:
    """Return the names of the package that the file is in, as seen from each of the folders that contain it."""
    inside = [place for place in places if place in file.parents] or [file.parent]
    return [list(file.relative_to(place).parent.parts) for place in inside]


def _imported(tree: ast.Module, package: Sequence[str]) -> Iterator[str]:
    """Yield the dotted names that a file of the package imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1]] if node.level else []
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


def imports_by_name(file: Path) -> bool:
    """Return whether the file imports by names that only a run knows, so that it may read any other file."""
    tree = _parsed(file)
    return tree is not None and _is_dynamic(tree)


def _parsed(file: Path) -> ast.Module | None:
    try:
        return ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None


def _is_dynamic(tree: ast.Module) -> bool:
    return any(_is_import_by_name(node) for node in ast.walk(tree))


def _is_import_by_name(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    is_method = isinstance(node.func, ast.Attribute)
    return name in DYNAMIC and not (is_method and name in ("eval", "exec"))
