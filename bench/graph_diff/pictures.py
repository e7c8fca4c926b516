"""Netron's pictures of two compared graphs, with the differences coloured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.graph_diff.difference import Difference, DifferingNodes, NodeRef
from bench.graph_diff.wording import changes_text
from bench.netron.errors import DEADLINE
from bench.netron.studio import Picture, Studio

COLOURS: Final = {"added": "#1a7f4e", "removed": "#c0392b", "changed": "#e0a100"}
"""Colours of changes; also distinguishable by brightness, and by the text of the tooltips."""
PREFIXES: Final = ("a-", "b-")
"""Prefixes of the ids in the two pictures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The two pictures."""

    before: Picture
    after: Picture

    @property
    def both(self) -> tuple[Picture, Picture]:
        """Both pictures, in order."""
        return (self.before, self.after)


def draw(difference: Difference, *, deadline: float = DEADLINE) -> Pair:
    """Return both pictures from one browser; `deadline`: seconds for each. Raises PictureError."""
    colours, notes = marks(difference)
    paths = [Path(side.path) for side in (difference.before, difference.after)]
    with Studio() as studio:
        found = [
            studio.take(
                path, colours=colours[n], notes=notes[n], prefix=PREFIXES[n], deadline=deadline
            )
            for n, path in enumerate(paths)
        ]
    return Pair(before=found[0], after=found[1])


def marks(
    difference: Difference | DifferingNodes,
) -> tuple[tuple[dict[str, str], dict[str, str]], tuple[dict[str, str], dict[str, str]]]:
    """Return (node -> colour before, after), (node -> tooltip before, after).

    A node that only carries on what changed before it is not coloured: behind a narrower layer that would be all.
    """
    colours: tuple[dict[str, str], dict[str, str]] = ({}, {})
    notes: tuple[dict[str, str], dict[str, str]] = ({}, {})

    def mark(side: int, node: NodeRef, word: str, note: str) -> None:
        # A difference inside a loop or a branch is shown as a change of the node around it.
        kind = word if not node.outer else "changed"
        if node.outer and node.drawn in colours[side]:
            return
        colours[side][node.drawn] = COLOURS[kind]
        notes[side][node.drawn] = note if not node.outer else f"inside: {note}"

    for change in difference.changed:
        if change.is_carried:
            continue
        mark(0, change.before, "changed", changes_text(change))
        mark(1, change.after, "changed", changes_text(change))
    for node in difference.removed:
        mark(0, node, "removed", "removed")
    for node in difference.added:
        mark(1, node, "added", "added")
    return colours, notes
