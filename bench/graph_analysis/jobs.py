"""What crosses between the parent and the workers that analyse and draw graphs."""

from __future__ import annotations

from dataclasses import dataclass, field

from suite.results.step_result import StepResult


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedGraph:
    """A graph file to analyse or to draw."""

    path: str
    stem: str
    """Of the files that are written about it."""
    relative: str = ""
    """Path as it is shown: relative to the run folder, or the file's name."""
    variant: str = ""
    parent: str = ""
    """Variant of the graph that it is compared with; empty for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphOptions:
    """What the analysis and the pictures of graphs take."""

    out: str
    """Folder for the files that are written."""
    graphs: tuple[AskedGraph, ...] = ()
    """Parents before the graphs that are compared with them."""
    sizes: dict[str, int] = field(default_factory=dict)
    """Open axis -> extent, for a user's own files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphProblems(StepResult):
    """What could not be done with the asked graphs."""

    problems: tuple[str, ...] = ()
    """One line each."""
