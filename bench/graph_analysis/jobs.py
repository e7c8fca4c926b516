"""Options and results of the workers that analyse and draw graphs."""

from __future__ import annotations

from dataclasses import dataclass, field

from suite.results.step_result import StepResult


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedGraph:
    """A graph file to analyse or to draw."""

    path: str
    stem: str
    """Stem of the files that are written about it."""
    relative: str = ""
    """Displayed path: relative to the run folder, or the file's name."""
    variant: str = ""
    parent: str = ""
    """Variant of the graph to which it is compared; empty for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphOptions:
    """Options of graph analysis and drawing."""

    out: str
    """Output folder."""
    graphs: tuple[AskedGraph, ...] = ()
    """Parents precede the graphs that are compared with them."""
    sizes: dict[str, int] = field(default_factory=dict)
    """Open axis -> extent, for a user's own files."""
    quiet: str = ""
    """Lock file under which workers side by side leave each other alone while one times: see `quiet`; empty = none."""
    whole_seconds: float = 40.0
    """Seconds for the full drawings of all large graphs of this job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphProblems(StepResult):
    """Failures with the requested graphs."""

    problems: tuple[str, ...] = ()
    """One line each."""
