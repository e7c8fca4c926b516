"""`python -m bench report`: show a stored run in any format."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.output.console import print_to, write_text
from suite.runs.folder import RUNS, NoSuchRun, find_run

if TYPE_CHECKING:
    from bench.summary.model import Report


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "run",
        nargs="?",
        default="latest",
        metavar="RUN",
        help="a run folder, its name or part of it (default: the newest)",
    )
    parser.add_argument(
        "--format",
        choices=tuple(FORMATS),
        help=f"{'; '.join(f'{row.name}: {row.meaning}' for row in FORMATS.values())}"
        f" (default: the terminal's tables, and {PAGE} written into the run folder)",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write here instead")
    parser.add_argument(
        "--runs-dir",
        type=Path,
        default=RUNS,
        metavar="DIR",
        help=f"where runs lie (default: {RUNS})",
    )
    parser.add_argument("--open", action="store_true", help="open report.html in a browser")


def main(arguments: argparse.Namespace) -> int:
    """Show the run; return 0 on success, 2 if it does not exist or the output cannot be written."""
    try:
        folder = find_run(arguments.run, arguments.runs_dir)
    except NoSuchRun as error:
        print(f"python -m bench report: {error}", file=sys.stderr)
        return 2
    try:
        with _without_collector():
            # Imported here: hundreds of modules are objects that stay, too.
            from bench.summary.build import build_report
            from suite.runs.load import load_run

            return _show(build_report(load_run(folder)), folder, arguments)
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115
        return 0
    except OSError as error:
        place = error.filename or arguments.out or folder
        print(
            f"python -m bench report: {place} cannot be written ({error.strerror});"
            " name another file with --out",
            file=sys.stderr,
        )
        return 2


@contextmanager
def _without_collector() -> Iterator[None]:
    """Stop Python's search for cycles: a large report is a tree of millions of objects that all stay until it is
    written, and the search goes through them again and again.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        # All that is left becomes old without being looked through, which takes a tenth of the report's time.
        gc.freeze()
        gc.unfreeze()
        if was_on:
            gc.enable()


def _show(report: Report, folder: Path, arguments: argparse.Namespace) -> int:
    page = folder / PAGE
    if arguments.format is None:
        _write_html(report, page)
        print_table(report, folder, arguments.out)
    else:
        FORMATS[arguments.format].write(report, folder, arguments.out)
        if arguments.format == "html" and arguments.out:
            page = arguments.out
    if arguments.open:
        _open(page)
    return 0


def _open(html: Path) -> None:
    """Open the file if there is a graphical display; a browser inside a terminal would hide the table."""
    import webbrowser  # as long to import as a small report takes to draw

    has_screen = sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    if not has_screen or not html.is_file() or not webbrowser.open(html.absolute().as_uri()):
        print(f"no browser was opened; the report is {html}", file=sys.stderr)


# Formats of a report: one row each, offered by `python -m bench report --format`.
#
# To add one: a function that gives the report as text, and a row here.

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
    _write_html(report, page)
    print(page)


def print_table(report: Report, folder: Path, out: Path | None) -> None:
    """Print the terminal's tables, with the address of the run's page if there is one."""
    page = folder / PAGE
    html = page if page.is_file() else None
    from bench.report.terminal import render_terminal

    print_to(out, lambda console: render_terminal(report, console, html=html))


# A renderer is imported when it is used: that of the page takes longer than a small report.


def _write_html(report: Report, page: Path) -> None:
    from bench.report.html import write_html

    write_html(report, page)


def _to_markdown(report: Report) -> str:
    from bench.report.markdown import to_markdown

    return to_markdown(report)


def _to_json(report: Report) -> str:
    from bench.report.document import to_json

    return to_json(report)


FORMATS: Final = {
    row.name: row
    for row in (
        OutputFormat(name="html", meaning="a page that needs no network", write=write_page),
        text_format("md", "Markdown for pull requests and job summaries", _to_markdown),
        text_format("json", "the document of docs/report-schema.md", _to_json),
        OutputFormat(name="terminal", meaning="the terminal's tables", write=print_table),
    )
}
"""Name -> format."""
