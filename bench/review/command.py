"""`python -m bench review [RUN | FILE ...]`: every graph in Netron with measurements, compared, and the report."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from bench.graph_analysis.folder import Anatomies, load_anatomies
from bench.graph_analysis.make import make_anatomies, take_files_apart
from bench.netron.errors import PictureError
from bench.netron.server import Answer
from bench.onnx_graph.axes import parse_sizes
from bench.report.command import RUNS
from bench.report.html import to_html
from bench.review.collecting import (
    SUFFIXES,
    NothingToReview,
    checked,
    rooms_of_files,
    rooms_of_run,
)
from bench.review.graphs import Room
from bench.review.marking import marked_in
from bench.review.pages import pages_of
from bench.review.serving import for_bundle, serve, write_bundle
from bench.review.site import html_answer, netron_answers
from bench.summary.build import build_report
from bench.summary.model import Report
from suite import units
from suite.runs.folder import NoSuchRun, find_run
from suite.runs.load import load_run

TROUBLE: Final = 2


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add = parser.add_argument
    add(
        "what",
        nargs="*",
        metavar="RUN | FILE.onnx | FILE.pt2",
        help="a run (default: the newest), or files, which are compared with the first",
    )
    add("--no-browse", action="store_true", help="print the address and open no browser")
    add("--bundle", type=Path, metavar="DIR", help="write the review as a folder instead")
    add(
        "--axes",
        default="",
        metavar="SIZES",
        help="run the files at these sizes of their open axes, e.g. batch=1,sequence=128, or INPUT:AXIS=SIZE for an"
        " axis without a name (default: a batch of 1, others as short as they run)",
    )
    add("--quick", action="store_true", help="take nothing apart that is not known yet")
    add(
        "--runs-dir",
        type=Path,
        default=RUNS,
        metavar="DIR",
        help=f"where runs lie (default: {RUNS})",
    )


def main(arguments: argparse.Namespace) -> int:
    """Serve or write the review; return 0 on success, 2 on an error."""
    try:
        with tempfile.TemporaryDirectory(prefix="vitals-review-") as scratch:
            if any(Path(what).suffix.lower() in SUFFIXES for what in arguments.what):
                site = _site_of_files(arguments, Path(scratch))
            else:
                site = _site_of_run(arguments)
            if arguments.bundle is not None:
                site = for_bundle(site)
                size = write_bundle(site, arguments.bundle)
                print(f"{arguments.bundle}: {len(site)} files, {units.num_bytes(size)}")
                print(f"look at it: python -m http.server --bind 127.0.0.1 -d {arguments.bundle}")
                return 0
            serve(site, browse=not arguments.no_browse)
    except (NothingToReview, NoSuchRun, PictureError, ValueError) as error:
        print(f"python -m bench review: {error}", file=sys.stderr)
        return TROUBLE
    except OSError as error:
        what = error.filename or "the review"
        print(f"python -m bench review: {what}: {error.strerror}", file=sys.stderr)
        return TROUBLE
    except KeyboardInterrupt:  # before it was served
        return 0
    return 0


def _site_of_run(arguments: argparse.Namespace) -> dict[str, Answer]:
    if len(arguments.what) > 1:
        raise NothingToReview(f"expected one run or files that end in {' or '.join(SUFFIXES)}")
    if arguments.axes:
        raise NothingToReview(
            "--axes goes with files; the graphs of a run are fed with the run's own batch."
            " Next: name the ONNX files in its `onnx` folder"
        )
    run = load_run(find_run(next(iter(arguments.what), "latest"), arguments.runs_dir))
    report = build_report(run)
    anatomies = load_anatomies(run.folder) if arguments.quick else make_anatomies(run, tell=_tell)
    rooms = rooms_of_run(run, report, anatomies)
    site = _site(rooms, anatomies, title=run.folder.absolute().name, report=report)
    # The report links into the run folder, which is not served.
    site["report.html"] = html_answer(to_html(report, anatomies=anatomies))
    return site


def _site_of_files(arguments: argparse.Namespace, scratch: Path) -> dict[str, Answer]:
    paths = [checked(Path(name)) for name in arguments.what]
    sizes = parse_sizes(arguments.axes)
    stems = {f"file-{number}": path for number, path in enumerate(paths, start=1)}
    problems = []
    if not arguments.quick:
        problems = take_files_apart(stems, scratch / "anatomy", sizes=sizes, tell=_tell)
    anatomies = load_anatomies(scratch)
    anatomies = replace(anatomies, problems=(*anatomies.problems, *problems))
    rooms = rooms_of_files(paths, list(stems), scratch / "anatomy", anatomies)
    return _site(rooms, anatomies, title=rooms[0].title, report=None)


def _site(
    rooms: Sequence[Room], anatomies: Anatomies, *, title: str, report: Report | None
) -> dict[str, Answer]:
    marked = {
        (found.exhibit.number, found.against.number): found
        for room in rooms
        for found in marked_in(room, anatomies)
    }
    pages = pages_of(rooms, anatomies, marked, title=title, report=report)
    own = {path: html_answer(text) for path, text in pages.items()}
    return {**own, **netron_answers(rooms, marked.values())}


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
