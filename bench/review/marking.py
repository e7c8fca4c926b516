"""Differences of two graphs shown side by side, for Netron's pages: which nodes to colour, and why."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench.graph_analysis.folder import Anatomies
from bench.graph_diff.document import nodes_from
from bench.graph_diff.pictures import marks
from bench.netron.colours import ink_on
from bench.review.graphs import Exhibit, Room

LONGEST: Final = 2000
"""Characters of a node's tooltip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A graph that is shown next to another one."""

    exhibit: Exhibit
    against: Exhibit
    marks: str
    """JSON: Netron's name of a node -> its fill colour, its text colour, its tooltip."""

    @property
    def page(self) -> str:
        """Path of the page that opens it with these marks, from the root of the review."""
        return f"netron/{self.exhibit.number}-against-{self.against.number}.html"


def marked_in(room: Room, anatomies: Anatomies) -> Iterator[Marked]:
    """Yield both sides of every pair of the room whose difference is known."""
    for first in room.exhibits:
        for second in room.exhibits:
            document = anatomies.differences.get((first.stem, second.stem))
            if document is None:
                continue
            try:
                colours, notes = marks(nodes_from(document))
            except (KeyError, TypeError):
                continue  # damaged: the pages are then shown side by side without colours
            for side, (exhibit, against) in enumerate(((first, second), (second, first))):
                told = {
                    name: {
                        "fill": colour,
                        "ink": ink_on(colour),
                        "note": notes[side][name][:LONGEST],
                    }
                    for name, colour in colours[side].items()
                }
                yield Marked(
                    exhibit=exhibit,
                    against=against,
                    marks=json.dumps(told, ensure_ascii=False, allow_nan=False),
                )


def page_beside(
    exhibit: Exhibit, group: Sequence[Exhibit], marked: Mapping[tuple[int, int], Marked]
) -> Marked | None:
    """Return how it is shown among those: coloured against the first of them with which it was compared.

    `marked`: by the numbers of the graph and of the one next to it.
    """
    found = (marked.get((exhibit.number, other.number)) for other in group)
    return next((one for one in found if one is not None), None)
