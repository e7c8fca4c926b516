"""Templates of HTML pages: how they are read, and the style that all pages share."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES: Final = Path(__file__).with_name("templates")
"""What all pages share: style, icons, small parts."""


def templates_in(*folders: Path) -> Environment:
    """Return the templates of these folders and the shared ones.

    Everything that a page is given is escaped, and a missing name is an error.
    """
    return Environment(
        loader=FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )


def style_of(*files: Path) -> Markup:
    """Return the style sheet of a page: the one that all pages share, then these."""
    sheets = (TEMPLATES / "style.css", *files)
    return Markup("".join(path.read_text(encoding="utf-8") for path in sheets))
