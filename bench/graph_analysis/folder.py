"""Storage of a run's anatomies, and their loading: tolerates missing or damaged files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.graph_analysis.record import Anatomy, anatomy_from, stamp_of
from suite.runs.folder import is_inside

FOLDER: Final = "anatomy"
"""Name of the folder in the run folder."""
ANATOMY, METRICS, PICTURE, DRAWN = ".json", ".metrics.json", ".svg", ".picture.json"
"""Suffixes of a graph's stem: the anatomy, Netron's attachment, the picture, the picture's metadata."""
WHOLE: Final = ".whole.svg"
"""Suffix of the drawing of every node of a graph whose picture is a summary."""
DIFFERENCE: Final = ".difference.json"
BETWEEN: Final = "--"
"""Separator between the stems of two compared graphs."""
MISSING: Final = "no-pictures.txt"
"""File with the reason why there are no pictures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A stored picture."""

    path: Path
    width: int
    height: int
    num_nodes: int
    is_summary: bool
    coloured_by: str
    """latency, MACs, or empty: Netron's own colours."""
    stamp: str

    @property
    def whole(self) -> Path | None:
        """Path of the drawing of every node, if this one is a summary and it could be made in time."""
        path = self.path.with_name(f"{self.path.name.removesuffix(PICTURE)}{WHOLE}")
        is_ours = path.is_file() and is_inside(path, self.path.parent)
        return path if self.is_summary and is_ours else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Anatomies:
    """Content of a run's anatomy folder."""

    by_stem: Mapping[str, Anatomy] = field(default_factory=dict)
    """Stem of the graph's file -> its anatomy, ordered by name."""
    pictures: Mapping[str, Drawn] = field(default_factory=dict)
    differences: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    """(stem before, stem after) -> the document of `bench.graph_diff.document`."""
    no_pictures: str = ""
    """Reason why there are no pictures."""
    problems: tuple[str, ...] = ()
    """One sentence for each file that could not be read."""

    def of(self, model: str, size: str) -> tuple[Anatomy, ...]:
        """Return every state of that model, ordered by name."""
        return tuple(a for a in self.by_stem.values() if (a.model, a.size) == (model, size))


def folder_of(run: Path) -> Path:
    """Return the folder of the run's anatomies."""
    return run / FOLDER


def load_anatomies(run: Path) -> Anatomies:
    """Load all anatomies of the run. Does not raise for damaged files: `problems` names them."""
    folder, problems = folder_of(run), list[str]()
    by_stem: dict[str, Anatomy] = {}
    pictures: dict[str, Drawn] = {}
    differences: dict[tuple[str, str], Mapping[str, Any]] = {}
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        name = path.name
        if name.endswith(METRICS):
            continue
        if not is_inside(path, run):
            problems.append(f"{FOLDER}/{name} is a link that leads out of the run.")
            continue
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if name.endswith(DIFFERENCE):
                first, _, second = name.removesuffix(DIFFERENCE).partition(BETWEEN)
                differences[first, second] = data
            elif name.endswith(DRAWN):
                stem = name.removesuffix(DRAWN)
                picture = Drawn(path=folder / f"{stem}{PICTURE}", **data)
                if picture.path.is_file() and is_inside(picture.path, run):
                    pictures[stem] = picture
            else:
                by_stem[path.stem] = anatomy_from(data)
        except (OSError, ValueError, TypeError, RecursionError) as error:
            problems.append(f"{FOLDER}/{name} cannot be read ({str(error)[:160]}).")
    try:
        if not is_inside(folder / MISSING, run):
            raise ValueError
        missing = (folder / MISSING).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        missing = ""
    return Anatomies(
        by_stem=by_stem,
        pictures=pictures,
        differences=differences,
        no_pictures=missing,
        problems=tuple(problems),
    )


def is_fresh(anatomies: Anatomies, graph: Path) -> bool:
    """Return whether the anatomy of that file exists and is up to date."""
    known = anatomies.by_stem.get(graph.stem)
    return known is not None and known.stamp == stamp_of(graph)


def beside(start: Path, ending: str) -> Path:
    """Return the file with that ending; the stem may contain full stops, so `with_suffix` is not usable."""
    return start.with_name(f"{start.name}{ending}")
