"""Outputs of a page's templates are escaped, each kind of value as markupsafe does it."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup, escape

from bench.output.page import escaped, templates_in


class _Named(str):
    """A text of a kind of its own."""


class _Drawn:
    """A value that brings its own markup."""

    def __html__(self) -> str:
        return "<b>bold</b>"


VALUES = ("<a href='x'>&\"", _Named("<i>"), Markup("<b>"), _Drawn(), 3, 2.5, True, None, ("<",))


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_every_kind_of_value_is_escaped_as_markupsafe_does(value: object):
    assert str(escaped(value)) == str(escape(value))
    assert str(escaped(value)) == str(escape(value))  # and from memory too


def rendered(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, **values: object) -> str:
    """The text of a template in `folder`."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    (folder / "page.html.j2").write_text(text, encoding="utf-8")
    return templates_in(folder).get_template("page.html.j2").render(**values)


@pytest.mark.parametrize(
    "text",
    (
        "{{ name }}",
        "{% macro cell(x) %}{{ x }}{% endmacro %}{{ cell(name) }}",
        "{% set kept %}{{ name }}{% endset %}{{ kept }}",
        "{% for one in [name] %}{{ one }}{% endfor %}",
        "{{ name | shortened(40) }}",
    ),
)
def test_an_output_is_escaped_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str):
    assert rendered(tmp_path, monkeypatch, text, name="<b>&") == "&lt;b&gt;&amp;"


def test_a_missing_name_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(UndefinedError):
        rendered(tmp_path, monkeypatch, "{{ row.nothing }}", row=object())
