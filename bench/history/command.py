"""`python -m bench history`: trends of what was measured, and what goes into and out of the history."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.history import STORE
from bench.history.errors import HistoryError
from bench.output.console import print_to, write_text
from suite.runs.folder import NoSuchRun, find_run

if TYPE_CHECKING:
    pass

RUNS: Final = Path(".vitals", "runs")
PAGE: Final = Path(".vitals", "history.html")
"""Default path of the HTML page."""
WORDS: Final = """\
what to do:
  history [MODEL ...]     draw the trends of these models (names or globs; default: all)
  history record RUN      record an earlier run: its folder, its name or part of it, latest
  history import FILE     record the runs of pytest-benchmark's JSON files
  history export FILE     write a run as pytest-benchmark's JSON (--run picks another than the last recorded)
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = WORDS
    add = parser.add_argument
    add("words", nargs="*", metavar="MODEL | record RUN | import FILE | export FILE")
    add(
        "--metric",
        action="append",
        metavar="NAMES",
        help="e.g. latency,peak_rss_delta; all (default: latency)",
    )
    add(
        "--store",
        default=STORE,
        metavar="WHERE",
        help=f"a SQLite file or postgresql+psycopg://USER@HOST/DATABASE (default: {STORE})",
    )
    add(
        "--format",
        choices=("terminal", "html", "json"),
        help=f"default: what FILE ends on, or terminal; html without --out goes to {PAGE}",
    )
    add("--out", type=Path, metavar="FILE", help="write the trends here")
    add(
        "--last",
        type=int,
        default=200,
        metavar="N",
        help="look at the newest N runs of each series (default: 200)",
    )
    add("--run", default="", metavar="NAME", help="export: the run, or part of its name")
    add(
        "--runs-dir",
        type=Path,
        default=RUNS,
        metavar="DIR",
        help=f"record: where runs lie (default: {RUNS})",
    )


def main(arguments: argparse.Namespace) -> int:
    """Run the command; 0 on success, 2 on a user error."""
    words: list[str] = arguments.words
    action = ACTIONS.get(words[0]) if words else None
    try:
        if action is not None:
            action(words[1:], arguments)
        else:
            _draw(words, arguments)
    except (HistoryError, NoSuchRun) as error:
        print(f"python -m bench history: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115
    except OSError as error:
        print(
            f"python -m bench history: {error.filename or 'the output'}: {error.strerror}; name another file",
            file=sys.stderr,
        )
        return 2
    return 0


def _draw(models: Sequence[str], arguments: argparse.Namespace) -> None:
    from bench.history.query import query_trends

    if arguments.last < 1:
        raise HistoryError(f"--last {arguments.last}: expected 1 or more runs")
    asked = [n for text in arguments.metric or ["latency"] for n in text.split(",") if n]
    metrics = [] if "all" in asked else asked
    found = query_trends(arguments.store, models, metrics, last=arguments.last)
    out: Path | None = arguments.out
    match arguments.format or _format_of(out):
        case "html":
            from bench.history.html import write_html

            out = out or PAGE
            out.parent.mkdir(parents=True, exist_ok=True)
            write_html(found, out)
            print(out)
        case "json":
            from bench.history.document import to_json

            write_text(to_json(found), out)
        case _:
            from bench.history.terminal import render_terminal

            print_to(out, lambda console: render_terminal(found, console))


def _format_of(out: Path | None) -> str:
    """Return the format that the output's suffix implies."""
    return {".html": "html", ".json": "json"}.get(out.suffix.lower() if out else "", "terminal")


def _record(words: Sequence[str], arguments: argparse.Namespace) -> None:
    from bench.history.recording import record_run

    for word in words or ["latest"]:
        done = record_run(find_run(word, arguments.runs_dir), arguments.store)
        for problem in done.problems:
            print(f"! {problem}", file=sys.stderr)
        print(done.sentence)


def _import(words: Sequence[str], arguments: argparse.Namespace) -> None:
    from bench.history.benchmark_file import read_file
    from bench.history.recording import record_entry

    if not words:
        raise HistoryError("import what? expected: history import FILE.json")
    for word in words:
        entry = read_file(Path(word))
        print(record_entry(entry, arguments.store).sentence)


def _export(words: Sequence[str], arguments: argparse.Namespace) -> None:
    from bench.history.benchmark_export import export_run

    if len(words) != 1:
        raise HistoryError("export where to? expected: history export FILE.json [--run NAME]")
    run = export_run(arguments.store, Path(words[0]), arguments.run)
    print(f"run {run} written to {words[0]}")


ACTIONS: Final[dict[str, Callable[[Sequence[str], argparse.Namespace], None]]] = {
    "record": _record,
    "import": _import,
    "export": _export,
}
"""First word -> function called with the rest."""
