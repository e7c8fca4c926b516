"""Template filters for texts of the report: truncated, marked up, linked if that is safe."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from markupsafe import Markup, escape

from bench.charts.bars import share
from bench.output.text import shortened
from bench.report.view import RowView, StepLine
from bench.summary.elements import Parity


def web_link(url: str) -> str:
    """Return the address if it is a web address, else an empty string, so that no other link is followed."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in ("http", "https") and parts.netloc else ""


def tail(text: str, limit: int) -> str:
    """Return the end of the text, preceded by the amount left out."""
    return (
        text
        if len(text) <= limit
        else f"… {len(text) - limit:,} characters left out …\n{text[-limit:]}"
    )


@dataclass(frozen=True, slots=True)
class ParityTable:
    """Figures of the parity at each shape, as (HTML attributes, text)."""

    heads: tuple[tuple[Markup, str], ...]
    rows: tuple[tuple[tuple[Markup, str], ...], ...]


def parity_table(parity: Parity) -> ParityTable:
    """Return one column for every key with a value for at least one shape."""
    keys = dict.fromkeys(key for shape in parity.shapes for key in shape)
    shown = [k for k in keys if any(s.get(k) not in (None, "") for s in parity.shapes)]
    rows = tuple(tuple(_cell(shape.get(key)) for key in shown) for shape in parity.shapes)
    return ParityTable(
        heads=tuple(
            (kind, shortened(key.replace("_", " "), 40))
            for key, (kind, _) in zip(shown, rows[0] if rows else (), strict=True)
        ),
        rows=rows,
    )


_NUMBER: Final = Markup(' class="num"')
_TEXT: Final = Markup("")


def _cell(value: object) -> tuple[Markup, str]:
    if isinstance(value, (int, float)):
        return _NUMBER, f"{value:.3g}" if isinstance(value, float) else str(value)
    return _TEXT, "–" if value is None or value == "" else shortened(str(value), 120)


OPERATORS: Final = 14
"""Maximum number of operators with a bar of their own."""


@dataclass(frozen=True, slots=True)
class OperatorBars:
    """Operators of a graph by their number."""

    rows: tuple[tuple[str, int, str], ...]
    """(operator, number of nodes, percent of the most frequent one)."""
    num_others: int
    num_other_nodes: int


def operator_bars(operators: Mapping[str, int]) -> OperatorBars:
    """Return the most frequent operators, and how many there are besides; `operators`: most frequent first."""
    most, items = max(operators.values()), list(operators.items())
    return OperatorBars(
        rows=tuple(
            (shortened(name, 60), number, f"{share(number, most):.4g}")
            for name, number in items[:OPERATORS]
        ),
        num_others=len(items[OPERATORS:]),
        num_other_nodes=sum(number for _, number in items[OPERATORS:]),
    )


def pair_list(facts: Sequence[tuple[str, str, str]]) -> Markup:
    """Return the items of a definition list; each fact is (CSS class or nothing, name, text)."""
    texts = iter(_escaped([text for fact in facts for text in fact]))
    return Markup(
        "".join(
            f'<div class="{kind}"><dt>{name}</dt><dd>{text}</dd></div>'
            if kind
            else f"<div><dt>{name}</dt><dd>{text}</dd></div>"
            for kind, name, text in zip(texts, texts, texts, strict=True)
        )
    )


def lines(texts: Sequence[str]) -> Markup:
    """Return one line of a cell for each text, none of which is broken."""
    return Markup(
        "".join(
            f'<div class="ln">{text}</div>'
            for text in _escaped([text.replace(" ", "\u00a0") for text in texts])
        )
    )


def lane_texts(view: RowView, name: str) -> list[str]:
    """Return that text of every backend of the row."""
    return [getattr(lane, name) for lane in view.lanes]


def cold_lines(view: RowView, metric: str) -> list[str]:
    """Return the seconds of that phase of the cold start for every backend; empty where there are none."""
    return [bar.text if (bar := lane.cold.get(metric)) else "" for lane in view.lanes]


def step_rows(steps: Sequence[StepLine], badges: Mapping[str, Markup]) -> Markup:
    """Return the rows of the table of a row's steps; `badges`: outcome -> its mark and name."""
    texts = iter(
        _escaped([text for step in steps for text in (step.title, step.backend, step.note)])
    )
    return Markup(
        "".join(
            f'<tr><th scope="row">{title}</th><td class="muted">{backend}</td>'
            f'<td class="o-{escape(step.outcome)}">{badges[step.outcome]}</td>'
            f'<td class="muted small">{note}</td></tr>'
            for step, title, backend, note in zip(steps, texts, texts, texts, strict=True)
        )
    )


def _escaped(texts: Sequence[str]) -> list[str]:
    """Return the texts escaped for HTML, in one call: one for each takes most of the time of a long list."""
    found = str(escape("\0".join(texts))).split("\0")
    return found if len(found) == len(texts) else [str(escape(text)) for text in texts]


def sort_keys(view: RowView, *names: str) -> Markup:
    """Return the attributes by which a table's row is sorted: its name, and those of these keys that it has."""
    keys = "".join(
        f' data-{name.replace("_", "-")}="{view.sort[name]:.5g}"'
        for name in names
        if name in view.sort
    )
    return Markup(f' data-name="{escape(view.name.lower())}"{keys}')


def with_code(text: str) -> Markup:
    """Return the escaped text with the parts between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def when(moment: str) -> str:
    """Return `2026-11-23 18:04 UTC` for an ISO time, or the text itself."""
    found: Any = re.fullmatch(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d).*?(Z|\+00:00)?", moment)
    return f"{found[1]} {found[2]}{' UTC' if found[3] else ''}" if found else shortened(moment, 60)
