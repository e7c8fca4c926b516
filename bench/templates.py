"""What every HTML page of ours has in common: how templates are read, and its style."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def templates_in(*folders: Path) -> Environment:
    """The templates of these folders: everything that a page is given is escaped, and a missing name is an error."""
    return Environment(
        loader=FileSystemLoader(list(folders)),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )


def joined(files: Iterable[Path]) -> str:
    """The files' text one after another: the sheets of a page's style."""
    return "".join(path.read_text(encoding="utf-8") for path in files)
