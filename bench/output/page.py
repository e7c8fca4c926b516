"""Templates of HTML pages: loading, and the style that all pages share."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from suite.axes import BACKENDS

TEMPLATES: Final = Path(__file__).with_name("templates")
"""Files that all pages share: style, icons, small parts."""


def templates_in(*folders: Path) -> Environment:
    """Return the templates of these folders and the shared ones.

    All values passed to a page are escaped, and a missing name is an error.
    """
    return Environment(
        loader=FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )


def style_of(*files: Path) -> Markup:
    """Return the style sheet of a page: the shared one, then these."""
    first, *others = (
        path.read_text(encoding="utf-8") for path in (TEMPLATES / "style.css", *files)
    )
    return Markup("".join((first, backend_colours(), *others)))


def backend_colours() -> str:
    """Return the CSS rules that give every backend its colour, on light paper and on dark."""
    light, dark = (
        "".join(f".b-{row.name}{{--hue:{row.colours[place]}}}" for row in BACKENDS.values())
        for place in (0, 1)
    )
    return f"{light}@media (prefers-color-scheme:dark){{{dark}}}@media print{{{light}}}"
