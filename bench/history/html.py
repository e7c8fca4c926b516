"""Trends as one self-contained HTML file: no request leaves it, and it has no script."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bench.history import wording
from bench.history.geometry import HEIGHT, HUES, WIDTH, plot_of
from bench.history.look import Look
from bench.history.terminal import headline
from bench.report.html import TEMPLATES as REPORT

TEMPLATES: Final = Path(__file__).with_name("templates")


def write_html(found: Look, path: Path) -> None:
    """Write the page to `path`, whole or not at all. Raises OSError when it cannot be written."""
    text = to_html(found)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8", errors="replace")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def to_html(found: Look) -> str:
    """The trends as one HTML document, light or dark as the reader's system is."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    style = "".join(
        folder.joinpath(name).read_text(encoding="utf-8")
        for folder, name in ((REPORT, "style.css"), (TEMPLATES, "history.css"))
    )
    machines = list(found.environments)
    return environment.get_template("history.html.j2").render(
        found=found,
        title=headline(found),
        rows=[
            (number, title, trend, plot_of(trend, machines))
            for number, (title, trend) in enumerate(
                zip(wording.titles_of(found.trends), found.trends, strict=True)
            )
        ],
        style=Markup(style),  # ours, not the history's
        words=wording,
        width=WIDTH,
        height=HEIGHT,
        hues=HUES,
    )
