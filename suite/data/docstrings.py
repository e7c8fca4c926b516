"""Embedded data set `docstrings`: what Python's standard library says of itself in its sources, in passages."""

from __future__ import annotations

import ast
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from suite.data import prose
from suite.data.errors import DataError
from suite.data.parts import must_be_split, part_of
from suite.data.samples import Dataset, Text

TOPICS: Final = {
    "network": (
        "email", "ftplib", "http", "imaplib", "ipaddress", "poplib", "smtplib", "socket", "socketserver",
        "ssl", "urllib", "wsgiref", "xmlrpc",
    ),
    "code": (
        "ast", "code", "codeop", "contextlib", "dataclasses", "dis", "doctest", "enum", "functools", "importlib",
        "inspect", "pkgutil", "pyclbr", "symtable", "timeit", "tokenize", "traceback", "typing",
    ),
}  # fmt: skip
"""Class -> modules and packages about it: mail and the web, or Python programs that deal with Python programs."""

FEWEST: Final = 100
"""Passages of either class, below which a library is not whole."""

SALT: Final = "torch-vitals docstrings 1"
"""Seed of the split; a passage's place in it depends on nothing but its own text."""


def load(root: str, split: str) -> Dataset[Text]:
    """The passages of `split`, labelled by what their module is for; `root` is not used.

    Raises ValueError for an unknown split, DataError when this Python came without its sources.
    """
    must_be_split(split)
    chosen = tuple(sample for sample in passages() if part_of(sample.text, SALT) == split)
    return prose.Passages(chosen, classes=tuple(TOPICS))


@cache
def passages() -> tuple[Text, ...]:
    """All passages, module by module; no paragraph of the embedded prose is among them."""
    library = Path(sysconfig.get_path("stdlib"))
    seen = set(prose.paragraphs())
    found = []
    for label, (topic, modules) in enumerate(TOPICS.items()):
        texts = [
            text
            for module in modules
            for file in _sources(library, module)
            for text in prose.joined(_paragraphs_of(file, seen))
        ]
        if len(texts) < FEWEST:
            raise DataError(
                f"{library}: the docstrings of its modules about {topic} give {len(texts)} passages; expected"
                f" {FEWEST} or more, from the .py files of the standard library; use a Python that comes with"
                " them (python.org, conda, uv, your distribution's full python3), or --data with reviews of IMDb"
            )
        found += [Text(text=text, label=label) for text in texts]
    return tuple(found)


def _sources(library: Path, module: str) -> list[Path]:
    """The files of a module or package, by name; none where this version of Python has no such module."""
    return [path for path in (library / f"{module}.py",) if path.is_file()] or sorted(
        (library / module).rglob("*.py")
    )


def _paragraphs_of(file: Path, seen: set[str]) -> Iterator[str]:
    """The paragraphs of the file's docstrings from top to bottom, without the examples in them."""
    for docstring in _docstrings(ast.parse(file.read_bytes())):
        for paragraph in prose.paragraphs_of(docstring, seen):
            if not paragraph.startswith(">>>"):
                yield paragraph


def _docstrings(node: ast.AST) -> Iterator[str]:
    """Those of the module, its classes and functions, wherever they are defined; expressions are not looked into."""
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield ast.get_docstring(node) or ""
    for field in ("body", "handlers", "orelse", "finalbody"):
        for statement in getattr(node, field, ()):
            yield from _docstrings(statement)
