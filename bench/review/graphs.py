"""What a review shows: graphs as plain data, of a run or of files that the user names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """One graph that is shown."""

    number: int
    """Unique in the review, from 1: its pages and files are named by it, whatever its own name holds."""
    path: Path
    name: str
    """What Netron calls it; the file's name."""
    state: str
    """trained, int8 ...; empty for a user's own file."""
    files: tuple[Path, ...]
    """The file, then those that hold its weights."""
    stem: str
    """Under which its anatomy lies; empty when there is none."""
    variant: str = ""
    """A row of `suite.axes.VARIANTS`; empty for a user's own file."""
    attachment: Path | None = None
    """Our numbers for Netron."""

    @property
    def page(self) -> str:
        """Path of the page that opens it in Netron, from the root of the review."""
        return f"netron/{self.number}.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The graphs of one model, or one file: what is looked at together."""

    number: int
    title: str
    size: str
    exhibits: tuple[Exhibit, ...]
    place: str = ""
    """Id of the life or row of the report that tells of it; empty when there is none."""

    @property
    def page(self) -> str:
        """Path of its page, from the root of the review."""
        return f"model-{self.number}.html"

    def comparison(self, *exhibits: Exhibit) -> str:
        """Path of the page that shows these side by side."""
        return f"compare-{'-'.join(str(exhibit.number) for exhibit in exhibits)}.html"
