"""Content of a review: graphs of a run or of files that the user names, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """A displayed graph."""

    number: int
    """Unique number in the review, from 1, from which its pages and files are named, independent of its own name."""
    path: Path
    name: str
    """Name displayed in Netron; the file's name."""
    state: str
    """trained, int8 ...; empty for a user's own file."""
    files: tuple[Path, ...]
    """The graph's file, then those that hold its weights."""
    stem: str
    """Stem of its anatomy's files; empty if there is none."""
    variant: str = ""
    """Row of `suite.axes.VARIANTS`; empty for a user's own file."""
    attachment: Path | None = None
    """Netron attachment with the measurements."""

    @property
    def page(self) -> str:
        """Path of the page that opens it in Netron, from the root of the review."""
        return f"netron/{self.number}.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Graphs of one model, or one file, that are viewed together."""

    number: int
    title: str
    size: str
    exhibits: tuple[Exhibit, ...]
    place: str = ""
    """Id of the report's life or row about it; empty if there is none."""

    @property
    def page(self) -> str:
        """Path of its page, from the root of the review."""
        return f"model-{self.number}.html"

    def comparison(self, *exhibits: Exhibit) -> str:
        """Return the path of the page that shows these side by side."""
        return f"compare-{'-'.join(str(exhibit.number) for exhibit in exhibits)}.html"
