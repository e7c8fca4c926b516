"""Formats of a report: one row each, offered by `python -m bench report --format`.

To add one: a function that gives the report as text, and a row here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.output.console import print_to, write_text
from bench.report.document import to_json
from bench.report.html import write_html
from bench.report.markdown import to_markdown
from bench.report.terminal import render_terminal
from bench.summary.model import Report

PAGE: Final = "report.html"
"""Name of the page in the run folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFormat:
    """An output format of a report."""

    name: str
    meaning: str
    """Phrase for the help text."""
    write: Callable[[Report, Path, Path | None], None]
    """`write(report, run_folder, out)`: writes to the file `out`, else to the format's default destination.

    Raises OSError if that cannot be written.
    """


def text_format(name: str, meaning: str, render: Callable[[Report], str]) -> OutputFormat:
    """Return a format that is one text, written to standard output if no file is named."""

    def write(report: Report, _: Path, out: Path | None) -> None:
        write_text(render(report), out)

    return OutputFormat(name=name, meaning=meaning, write=write)


def write_page(report: Report, folder: Path, out: Path | None) -> None:
    """Write the HTML page, into the run folder if no file is named, and print its path."""
    page = out or folder / PAGE
    write_html(report, page)
    print(page)


def print_table(report: Report, folder: Path, out: Path | None) -> None:
    """Print the terminal's tables, with the address of the run's page if there is one."""
    page = folder / PAGE
    html = page if page.is_file() else None
    print_to(out, lambda console: render_terminal(report, console, html=html))


FORMATS: Final = {
    row.name: row
    for row in (
        OutputFormat(name="html", meaning="a page that needs no network", write=write_page),
        text_format("md", "Markdown for pull requests and job summaries", to_markdown),
        text_format("json", "the document of docs/report-schema.md", to_json),
        OutputFormat(name="terminal", meaning="the terminal's tables", write=print_table),
    )
}
"""Name -> format."""
