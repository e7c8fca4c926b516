"""A copy of the project in which a recipe of docs/contributing.md is followed, and questions that are put to it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def copy_project(
    tree: Path, *, added: Mapping[str, str], rows: Mapping[str, tuple[str, str]]
) -> Path:
    """Copy the project to `tree` and change it there.

    `added` is file -> text, `rows` is file -> (a text that occurs once, what is put before it).
    """
    caches = shutil.ignore_patterns("__pycache__")
    for name in ("bench", "diagnostics", "suite", "docs"):
        shutil.copytree(ROOT / name, tree / name, ignore=caches)
    for name in ("README.md", "conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tree / name)
    for file, text in added.items():
        assert not (tree / file).exists()
        (tree / file).write_text(text, encoding="utf-8")
    for file, (before, text) in rows.items():
        source = (tree / file).read_text(encoding="utf-8")
        assert source.count(before) == 1, f"{file}: {before!r} occurs {source.count(before)} times"
        (tree / file).write_text(source.replace(before, text + before), encoding="utf-8")
    return tree


def python(tree: Path, *arguments: str, timeout: float = 120) -> str:
    """Run Python in the copy and return what it prints; what it prints on errors is the message of the failure."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=tree, capture_output=True, text=True, timeout=timeout
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def answers(tree: Path, probe: str) -> dict[str, Any]:
    """Run the probe in the copy, with the made-up runs of tests/bench at hand, and return the JSON that it prints."""
    start = f"import sys; sys.path[:0] = ['', {str(ROOT / 'tests' / 'bench')!r}]\n"
    found: dict[str, Any] = json.loads(python(tree, "-c", start + OPTIONS + probe))
    return found


OPTIONS = """
import json
from dataclasses import replace
from pathlib import Path
from _pytest.config.argparsing import Parser
from suite.catalog import builtin_specs
from suite.cell import Cell
from suite.docs_page import PAGES
from suite.expand import backends_of, expand, expand_life, stages_of, variants_of
from suite.pytest_options import add_options

def help_of(option):
    parser = Parser(_ispytest=True)
    add_options(parser)
    rows = [row.attrs() for group in parser._groups for row in group.options]
    return next(row["help"] for row in rows if row["dest"] == option)

def pages():
    return "".join(rewrite(Path(name).read_text()) for name, rewrite in PAGES.items())

SPEC = [spec for spec in builtin_specs() if spec.name == "mlp"]
PLACE = dict(sizes=("tiny",), devices=("cpu",), dtypes=("float32",), batches=(1,))
"""
