"""Collection of a run's graphs, or of files that a user names, into rooms of a review."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.graph_analysis.folder import METRICS, Anatomies, folder_of
from bench.graph_analysis.make import graphs_of
from bench.onnx_graph.errors import GraphError
from bench.onnx_graph.external import files_of
from bench.output.names import variant_name
from bench.output.text import distinct_names
from bench.review.graphs import Exhibit, Room
from bench.summary.model import Report
from bench.summary.places import life_id, row_id, variant_rank
from suite.runs.load import Run

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
                    attachment=metrics if metrics.is_file() else None,
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
