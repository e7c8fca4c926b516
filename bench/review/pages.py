"""Pages of a review besides Netron's: the index, a page per model, and comparisons side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment
from markupsafe import Markup

from bench.charts.bars import share
from bench.graph_analysis.folder import Anatomies
from bench.graph_analysis.make import PAIRED
from bench.graph_diff.pictures import COLOURS
from bench.graph_diff.wording import sizes_text
from bench.output import names
from bench.output.page import style_of, templates_in
from bench.output.text import shortened
from bench.report.anatomies import inlined
from bench.report.anatomy_view import view_of
from bench.report.difference_view import DifferenceView, difference_view
from bench.review.graphs import Exhibit, Room
from bench.review.marking import Marked, page_beside
from bench.review.site import PAGES
from bench.summary.labels import known_text
from bench.summary.lifecycle_records import Life, State
from bench.summary.model import Report
from bench.summary.quality_text import drop_text, metric_text
from suite import units
from suite.axes import BACKENDS

TEMPLATES: Final = Path(__file__).with_name("templates")
REPORT: Final = TEMPLATES.parents[1] / "report" / "templates"


def pages_of(
    rooms: Sequence[Room],
    anatomies: Anatomies,
    marked: Mapping[tuple[int, int], Marked],
    *,
    title: str,
    report: Report | None,
) -> dict[str, str]:
    """Return path -> HTML of all these pages except the report."""
    pictures = inlined(anatomies)
    lives = {life.id: life for life in report.lives} if report else {}
    shared: dict[str, Any] = {
        "title": title,
        "rooms": rooms,
        "report": report,
        "policy": PAGES,
        "anatomies": anatomies,
        "pictures": pictures,
        "no_pictures": anatomies.no_pictures,
        "style": _style(),
        "words": names,
        "units": units,
        "sizes_text": sizes_text,
        "share": share,
        "shortened": shortened,
        "known_text": known_text,
        "metric_text": metric_text,
        "drop_text": drop_text,
        "comparisons": comparisons,
        "most_paired": PAIRED,
        "state_of": lambda room, exhibit: _state(lives.get(room.place), exhibit),
        "life_of": lambda room: lives.get(room.place),
    }
    found = {"index.html": _render("index.html.j2", shared)}
    for room in rooms:
        own = {e.stem: anatomies.by_stem[e.stem] for e in room.exhibits if e.stem}
        view = view_of(anatomies, own) if own else None
        found[room.page] = _render("room.html.j2", {**shared, "room": room, "view": view})
        for exhibits in comparisons(room):
            found[room.comparison(*exhibits)] = _render(
                "compare.html.j2",
                {
                    **shared,
                    "room": room,
                    "exhibits": exhibits,
                    "marked": {e.number: page_beside(e, exhibits, marked) for e in exhibits},
                    "colours": COLOURS,
                    "differences": _differences(anatomies, exhibits),
                },
            )
    return found


def comparisons(room: Room) -> tuple[tuple[Exhibit, ...], ...]:
    """Return the graphs of a room that are shown side by side: every pair of the first PAIRED, and the first three."""
    pairs = list(combinations(room.exhibits[:PAIRED], 2))
    return (*pairs, room.exhibits[:3]) if len(room.exhibits) > 2 else tuple(pairs)


def _differences(anatomies: Anatomies, exhibits: Sequence[Exhibit]) -> list[DifferenceView]:
    """Return the differences of those that were compared."""
    return [
        difference_view(a.state, b.state, anatomies.differences[a.stem, b.stem])
        for a, b in combinations(exhibits, 2)
        if (a.stem, b.stem) in anatomies.differences
    ]


def _state(life: Life | None, exhibit: Exhibit) -> State | None:
    """Return the run's measurements of that graph in ONNX Runtime, or None."""
    states = life.states if life else ()
    found = (
        s
        for s in states
        if s.name == exhibit.variant and s.backend in BACKENDS and BACKENDS[s.backend].needs_graph
    )
    return next(found, None)


def _render(template: str, values: Mapping[str, Any]) -> str:
    return _templates().get_template(template).render(values)


@cache
def _templates() -> Environment:
    return templates_in(TEMPLATES, REPORT)


@cache
def _style() -> Markup:
    return style_of(REPORT / "life.css", REPORT / "anatomy.css", TEMPLATES / "review.css")
