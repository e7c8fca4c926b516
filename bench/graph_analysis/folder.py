"""Where the anatomies of a run lie, and what is read back from there: tolerant of what is missing or damaged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.graph_analysis.record import Anatomy, anatomy_from
from bench.graph_analysis.static import stamp_of

FOLDER: Final = "anatomy"
"""Below the run folder."""
ANATOMY, METRICS, PICTURE, DRAWN = ".json", ".metrics.json", ".svg", ".picture.json"
"""What is put behind a graph's stem: the anatomy, Netron's attachment, the picture, what is known of the picture."""
WHOLE: Final = ".whole.svg"
"""Every node of a graph whose picture is a summary."""
DIFFERENCE: Final = ".difference.json"
BETWEEN: Final = "--"
"""Between the stems of two graphs that are compared."""
MISSING: Final = "no-pictures.txt"
"""Says why there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A picture that lies there."""

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
        """The drawing of every node, where this one is a summary and that one could be made in time."""
        path = self.path.with_name(f"{self.path.name.removesuffix(PICTURE)}{WHOLE}")
        return path if self.is_summary and path.is_file() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Anatomies:
    """What lies in the folder of a run."""

    by_stem: Mapping[str, Anatomy] = field(default_factory=dict)
    """Stem of the graph's file -> its anatomy, in the order of the names."""
    pictures: Mapping[str, Drawn] = field(default_factory=dict)
    differences: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    """(stem before, stem after) -> the document of `bench.graph_diff.document`."""
    no_pictures: str = ""
    """Why there are none."""
    problems: tuple[str, ...] = ()
    """Files that could not be read, a sentence each."""

    def of(self, model: str, size: str) -> tuple[Anatomy, ...]:
        """Every state of that model, in the order of the names."""
        return tuple(a for a in self.by_stem.values() if (a.model, a.size) == (model, size))


def folder_of(run: Path) -> Path:
    """Where they lie."""
    return run / FOLDER


def load_anatomies(run: Path) -> Anatomies:
    """Everything that is there. Never raises for damaged files: `problems` says which."""
    folder, problems = folder_of(run), list[str]()
    by_stem: dict[str, Anatomy] = {}
    pictures: dict[str, Drawn] = {}
    differences: dict[tuple[str, str], Mapping[str, Any]] = {}
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        name = path.name
        if name.endswith(METRICS):
            continue
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if name.endswith(DIFFERENCE):
                first, _, second = name.removesuffix(DIFFERENCE).partition(BETWEEN)
                differences[first, second] = data
            elif name.endswith(DRAWN):
                stem = name.removesuffix(DRAWN)
                picture = Drawn(path=folder / f"{stem}{PICTURE}", **data)
                if picture.path.is_file():
                    pictures[stem] = picture
            else:
                by_stem[path.stem] = anatomy_from(data)
        except (OSError, ValueError, TypeError, RecursionError) as error:
            problems.append(f"{FOLDER}/{name} cannot be read ({str(error)[:160]}).")
    try:
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
    """Whether the anatomy of that file is there and of the file as it is now."""
    known = anatomies.by_stem.get(graph.stem)
    return known is not None and known.stamp == stamp_of(graph)


def beside(start: Path, ending: str) -> Path:
    """The file with that ending; the stem may hold full stops, so that `with_suffix` would not do."""
    return start.with_name(f"{start.name}{ending}")
