"""Templates of HTML pages: loading, and the style that all pages share."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.compiler import CodeGenerator
from markupsafe import Markup, escape

from bench.output.template_cache import TemplateCache
from bench.output.text import sentence, shortened
from suite import units
from suite.axes import BACKENDS

TEMPLATES: Final = Path(__file__).with_name("templates")
"""Files that all pages share: style, icons, small parts."""
FILTERS: Final = {
    "count": units.count,
    "num_bytes": units.num_bytes,
    "percent": units.percent,
    "scaled": lambda value: units.scaled_count(value, ""),
    "seconds": units.seconds,
    "shortened": shortened,
    "breakable": lambda name: Markup(
        str(escape(name)).replace(".", ".<wbr>").replace("_", "_<wbr>")
    ),
    # A command breaks between its words and behind commas, never behind the hyphens of an option.
    "words": lambda text: Markup(" ").join(
        Markup("").join(
            Markup('<span class="word">{}</span>').format(part)
            for part in re.findall(r"[^,]*,|[^,]+$", word)
        )
        for word in text.split(" ")
    ),
    "sentence": sentence,
    "pct": lambda value: f"{value:.4g}",
    "nowrap": lambda text: str(text).replace(" ", "\u00a0"),
}
"""Formats of values, as filters: a template calls a filter directly, any other function through its context, which
costs several times as much; a large report formats hundreds of thousands of values."""


_escaped_text: Final = lru_cache(maxsize=20_000)(escape)
"""A page says the same words again and again."""


def escaped(value: object) -> str:
    """Return the value as markup, as `markupsafe.escape` does; of the kinds that a page is made of at a third of its
    time, because the result is joined and need not be a Markup of its own.
    """
    kind = type(value)
    if kind is str:
        return _escaped_text(value)
    if kind is Markup:
        return value  # type: ignore[return-value]
    return str(value) if kind is int or kind is float else escape(value)


class _Generator(CodeGenerator):
    """Templates whose outputs go through `escaped`."""

    def _output_child_pre(self, node: Any, frame: Any, finalize: Any) -> None:
        assert frame.eval_ctx.autoescape
        assert not frame.eval_ctx.volatile
        assert finalize.src is None
        self.write("environment.escaped(")


class _Templates(Environment):
    """Templates of a page of many rows: what is called for every value costs little."""

    code_generator_class = _Generator
    escaped = staticmethod(escaped)


def templates_in(*folders: Path) -> Environment:
    """Return the templates of these folders and the shared ones.

    All values passed to a page are escaped, and a missing name is an error.
    """
    environment = _Templates(
        loader=FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        # A filter of a constant would be worked out when the template is compiled, and kept with it.
        optimized=False,
        bytecode_cache=TemplateCache(),
    )
    environment.filters |= FILTERS
    return environment


def style_of(*files: Path) -> Markup:
    """Return the style sheet of a page: the shared one, then these."""
    first, *others = (
        path.read_text(encoding="utf-8") for path in (TEMPLATES / "style.css", *files)
    )
    return Markup("".join((first, backend_colours(), *others)))


def backend_colours() -> str:
    """Return the CSS rules that give every backend its colour, on light paper and on dark."""
    light, dark = (
        "".join(f".b-{row.name}{{--hue:{row.colours[place]}}}" for row in BACKENDS.values())
        for place in (0, 1)
    )
    return f"{light}@media (prefers-color-scheme:dark){{{dark}}}@media print{{{light}}}"
