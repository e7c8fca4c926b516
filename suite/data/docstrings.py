"""Embedded data set `docstrings`: passages from the docstrings of Python's standard library."""

from __future__ import annotations

import ast
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from suite.data import prose
from suite.data.errors import DataError
from suite.data.samples import Dataset, Text
from suite.data.splits import TEST_SPLIT, must_be_split, part_of

TOPICS: Final = {
    "execution": (
        "bdb", "concurrent", "contextlib", "doctest", "importlib", "optparse", "profile", "pyclbr", "queue",
        "re", "runpy", "sched", "subprocess", "threading", "timeit", "trace", "unittest",
    ),
    "values": (
        "_collections_abc", "_pydatetime", "abc", "base64", "calendar", "codecs", "collections", "copy", "dataclasses",
        "datetime", "difflib", "enum", "fractions", "functools", "inspect", "json", "numbers", "pickle", "pickletools",
        "random", "string", "struct", "textwrap", "types", "typing", "weakref",
    ),
}  # fmt: skip
"""Class -> its modules and packages: running programs, or the values they compute with.

The classes are close to the prose's (`language` with its statements and debugger, `objects`): the words that separate
its classes classify 7 of 10 of these passages. pdb is left out because its manual is in the prose.
"""

FEWEST: Final = 100
"""Passages per class below which the library counts as incomplete."""

SALT: Final = "torch-vitals docstrings 1"
"""Seed of the split; a passage's split depends only on its text."""


def load(root: str, split: str) -> Dataset[Text]:
    """Return the passages of `split`, labelled by their module's topic; `root` is unused.

    Raise ValueError for an unknown split, DataError if this Python came without its sources.
    """
    must_be_split(split)
    chosen = tuple(sample for sample in passages() if part_of(sample.text, SALT) == split)
    return prose.Passages(chosen, classes=tuple(TOPICS))


@cache
def passages() -> tuple[Text, ...]:
    """Return all passages, module by module, without paragraphs of the embedded prose."""
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
    """Return the files of a module or package, sorted, without its tests; empty if this Python has no such module."""
    file = library / f"{module}.py"
    if file.is_file():
        return [file]
    found = sorted((library / module).rglob("*.py"))
    return [
        path for path in found if not {TEST_SPLIT, "tests"} & set(path.relative_to(library).parts)
    ]


def _paragraphs_of(file: Path, seen: set[str]) -> Iterator[str]:
    """Yield the paragraphs of the file's docstrings from top to bottom, without examples."""
    for docstring in _docstrings(ast.parse(file.read_bytes())):
        for paragraph in prose.paragraphs_of(docstring, seen):
            if not paragraph.startswith(">>>"):
                yield paragraph


def _docstrings(node: ast.AST) -> Iterator[str]:
    """Yield the docstrings of the module, its classes and functions, however nested in statements."""
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield ast.get_docstring(node) or ""
    for field in ("body", "handlers", "orelse", "finalbody"):
        for statement in getattr(node, field, ()):
            yield from _docstrings(statement)
