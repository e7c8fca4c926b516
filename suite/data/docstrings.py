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
"""Class -> modules and packages about it: running programs, or what they compute with.

Near to the two classes of the prose (`language` with its statements and its debugger, `objects`), so that what was
learned there helps here: words alone that tell those apart are right for 7 of 10 passages of these. Not pdb: its
manual is in the prose.
"""

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
    """The files of a module or package, by name, without its tests; none where this Python has no such module."""
    file = library / f"{module}.py"
    if file.is_file():
        return [file]
    found = sorted((library / module).rglob("*.py"))
    return [
        path for path in found if not {TEST_SPLIT, "tests"} & set(path.relative_to(library).parts)
    ]


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
