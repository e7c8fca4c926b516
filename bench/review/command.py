"""`python -m bench review [RUN | FILE ...]`: every graph in Netron with measurements, compared, and the report."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from bench.graph_analysis.folder import METRICS, Anatomies, folder_of, load_anatomies
from bench.graph_analysis.make import graphs_of, make_anatomies, take_files_apart
from bench.netron.errors import PictureError
from bench.netron.server import Answer
from bench.onnx_graph.axes import parse_sizes
from bench.onnx_graph.errors import GraphError
from bench.onnx_graph.external import files_of
from bench.output.names import variant_name
from bench.output.text import distinct_names
from bench.report.html import to_html
from bench.review.graphs import Exhibit, Room
from bench.review.marking import marked_in
from bench.review.pages import pages_of
from bench.review.serving import for_bundle, serve, write_bundle
from bench.review.site import html_answer, netron_answers
from bench.summary.build import build_report
from bench.summary.model import Report
from bench.summary.places import life_id, row_id, variant_rank
from suite import units
from suite.runs.folder import RUNS, NoSuchRun, find_run, is_inside
from suite.runs.load import Run, load_run
from suite.scratch_folder import scratch_folder

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
        with scratch_folder() as scratch:
            if any(Path(what).suffix.lower() in SUFFIXES for what in arguments.what):
                site = _site_of_files(arguments, scratch)
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


# Collection of a run's graphs, or of files that a user names, into rooms of a review.

SUFFIXES = (".onnx", ".pt2")


class NothingToReview(ValueError):
    """Error raised if there is no graph to show; the text says what to do."""


def rooms_of_run(run: Run, report: Report, anatomies: Anatomies) -> tuple[Room, ...]:
    """Return one room per model, size and batch with a graph; raise NothingToReview if there is none."""
    groups: dict[str, list[tuple[str, Path]]] = {}
    titles: dict[str, tuple[str, str, str]] = {}
    known = {life.id for life in report.lives} | {row.id for row in report.rows}
    for kept in graphs_of(run):
        cell = kept.cell
        key = life_id(cell)
        groups.setdefault(key, []).append((cell.variant, kept.path))
        place = next((i for i in (key, row_id(cell)) if i in known), "")
        titles.setdefault(key, (cell.model, cell.size, place))
    if not groups:
        raise NothingToReview(
            f"{run.folder} has no graph; expected ONNX files that its records name."
            " Next: pytest suite, or pytest bench, and leave their `onnx` folder where it is"
        )
    rooms: list[Room] = []
    number = 0
    for key, graphs in groups.items():
        exhibits = []
        for variant, path in sorted(graphs, key=lambda pair: variant_rank(pair[0])):
            number += 1
            metrics = folder_of(run.folder) / f"{path.stem}{METRICS}"
            exhibits.append(
                Exhibit(
                    number=number,
                    path=path,
                    name=path.name,
                    state=variant_name(variant),
                    variant=variant,
                    files=_files(path),
                    stem=path.stem if path.stem in anatomies.by_stem else "",
                    attachment=metrics
                    if metrics.is_file() and is_inside(metrics, run.folder)
                    else None,
                )
            )
        model, size, place = titles[key]
        rooms.append(
            Room(
                number=len(rooms) + 1, title=model, size=size, exhibits=tuple(exhibits), place=place
            )
        )
    return tuple(rooms)


def rooms_of_files(
    paths: Sequence[Path], stems: Sequence[str], folder: Path, anatomies: Anatomies
) -> tuple[Room, ...]:
    """Return one room with all of the files; `stems`: the stem of each in `folder`."""
    exhibits = []
    names = distinct_names(paths)
    for number, (path, stem) in enumerate(zip(paths, stems, strict=True), start=1):
        metrics = folder / f"{stem}{METRICS}"
        exhibits.append(
            Exhibit(
                number=number,
                path=path,
                name=names[number - 1],
                state="" if len(paths) == 1 else names[number - 1],
                files=_files(path),
                stem=stem if stem in anatomies.by_stem else "",
                attachment=metrics if metrics.is_file() else None,
            )
        )
    title = paths[0].name if len(paths) == 1 else f"{len(paths)} files"
    return (Room(number=1, title=title, size="", exhibits=tuple(exhibits)),)


def checked(path: Path) -> Path:
    """Return the path; raise NothingToReview if it is not a file of a supported kind."""
    if path.suffix.lower() not in SUFFIXES:
        raise NothingToReview(
            f"{path}: expected a run folder or a file that ends in {' or '.join(SUFFIXES)}"
        )
    if not path.is_file():
        raise NothingToReview(f"{path}: there is no such file")
    return path


def _files(path: Path) -> tuple[Path, ...]:
    if path.suffix.lower() != ".onnx":
        return (path,)
    try:
        return tuple(files_of(path))
    except GraphError:
        return (path,)  # Netron then reports the error
