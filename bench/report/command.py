"""`python -m bench report`: show a stored run in any format."""

from __future__ import annotations

import argparse
import os
import sys
import webbrowser
from pathlib import Path
from typing import Final

from bench.report.formats import FORMATS, PAGE, print_table
from bench.report.html import write_html
from bench.summary.build import build_report
from bench.summary.model import Report
from suite.runs.folder import NoSuchRun, find_run
from suite.runs.load import load_run

RUNS: Final = Path(".vitals", "runs")


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
    report = build_report(load_run(folder))
    try:
        return _show(report, folder, arguments)
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


def _show(report: Report, folder: Path, arguments: argparse.Namespace) -> int:
    page = folder / PAGE
    if arguments.format is None:
        write_html(report, page)
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
    has_screen = sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    if not has_screen or not html.is_file() or not webbrowser.open(html.absolute().as_uri()):
        print(f"no browser was opened; the report is {html}", file=sys.stderr)
