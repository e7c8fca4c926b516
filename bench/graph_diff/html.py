"""Comparison as one self-contained HTML file, with Netron's two pictures side by side if they were made."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment
from markupsafe import Markup

from bench.graph_diff import wording
from bench.graph_diff.compare import shape_text
from bench.graph_diff.difference import Difference
from bench.graph_diff.pictures import COLOURS, Pair
from bench.output.page import templates_in
from suite import units

TEMPLATES: Final = Path(__file__).with_name("templates")
LISTED: Final = 2000
"""Maximum number of rows of a list; JSON has all of them."""


def to_html(difference: Difference, pictures: Pair | None = None, *, missing: str = "") -> str:
    """Render the page. `missing`: reason why requested pictures are missing."""
    script = _text("graphs.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        _templates()
        .get_template("graphs.html.j2")
        .render(
            difference=difference,
            title=wording.headline(difference),
            names=tuple(Path(s.path).name for s in (difference.before, difference.after)),
            pictures=pictures,
            svgs=tuple(Markup(p.svg) for p in pictures.both) if pictures else (),
            missing=missing,
            colours=COLOURS,
            differing=[t for t in difference.tensors if not t.is_equal],
            most=_most(difference),
            style=Markup(_text("graphs.css")),
            script=Markup(script),
            script_digest=digest,
            limit=LISTED,
            words=wording,
            units=units,
            shape_text=shape_text,
        )
    )


def _most(difference: Difference) -> int:
    return max((max(before, after) for _, before, after in difference.operators), default=1)


@cache
def _templates() -> Environment:
    return templates_in(TEMPLATES)


@cache
def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")
