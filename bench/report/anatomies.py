"""Placement of a model's graphs in the report, and selection of the pictures that fit."""

from __future__ import annotations

import re
from typing import Final

from markupsafe import Markup

from bench.graph_analysis.folder import Anatomies
from bench.report.anatomy_view import LAYERS, AnatomyView, anatomy_view
from bench.summary.lifecycle_records import Life
from bench.summary.model import Report, Row
from suite.axes import ORIGINAL, TRAINED

ROOM: Final = 5_000_000
"""Maximum number of characters of pictures in one report; larger ones stay separate files."""
LARGEST: Final = 700_000
"""Maximum number of characters of one picture."""
ROWS: Final = 900
"""Maximum number of rows of layers in one report: fewer per model if there are many models."""
LEAST_ROWS: Final = 8
_RUNS: Final = re.compile(
    r"<(?:script|iframe|object|embed|foreignObject|image|use|a)\b|\son\w+=|\bhref=", re.I
)
"""Elements that no generated picture contains; a file with any of them was modified and is left out."""


def placed(report: Report, anatomies: Anatomies) -> dict[str, AnatomyView]:
    """Return id of a life or a row -> the graphs shown there; each model's once, in its life if it has one."""
    shown = {(a.model, a.size) for a in anatomies.by_stem.values()}
    limit = max(LEAST_ROWS, min(LAYERS, ROWS // max(1, len(shown))))
    found: dict[str, AnatomyView] = {}
    places: list[Life | Row] = [*report.lives, *report.rows]
    for place in places:
        if (place.model, place.size) in shown:
            view = anatomy_view(anatomies, place.model, place.size, num_layers=limit)
            if view is not None:
                found[place.id] = view
                shown.discard((place.model, place.size))
    return found


def inlined(anatomies: Anatomies) -> dict[str, Markup]:
    """Return stem of a graph -> its picture, while there is room: parent states first, then small ones."""
    found: dict[str, Markup] = {}
    room = ROOM
    states = {stem: a.variant for stem, a in anatomies.by_stem.items()}
    order = []
    for stem, drawn in anatomies.pictures.items():
        try:
            size = drawn.path.stat().st_size
        except OSError:
            continue
        order.append((states.get(stem) not in (ORIGINAL, TRAINED, "first"), size, stem))
    for _, size, stem in sorted(order):
        if size > min(room, LARGEST):
            continue
        try:
            text = anatomies.pictures[stem].path.read_text(encoding="utf-8")
        except (OSError, ValueError):
            continue
        if text.startswith("<svg") and not _RUNS.search(text):
            found[stem] = Markup(text)  # generated: the output of bench.netron.finish
            room -= size
    return found
