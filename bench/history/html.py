"""Trends as one self-contained HTML file: no request leaves it, and it has no script."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from markupsafe import Markup

from bench.history import wording
from bench.history.geometry import HEIGHT, HUES, WIDTH, layout_plot
from bench.history.query import QueryResult
from bench.history.terminal import headline
from bench.report.html import TEMPLATES as REPORT
from bench.templates import joined, templates_in
from diagnostics.atomic_write import write_whole

TEMPLATES: Final = Path(__file__).with_name("templates")


def write_html(found: QueryResult, path: Path) -> None:
    """Write the page to `path`, whole or not at all. Raises OSError when it cannot be written."""
    write_whole(path, to_html(found))


def to_html(found: QueryResult) -> str:
    """The trends as one HTML document, light or dark as the reader's system is."""
    environment = templates_in(TEMPLATES)
    style = joined((REPORT / "style.css", TEMPLATES / "history.css"))
    machines = list(found.environments)
    return environment.get_template("history.html.j2").render(
        found=found,
        title=headline(found),
        rows=[
            (number, title, trend, layout_plot(trend, machines))
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
