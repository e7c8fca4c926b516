"""Finds the known messages in a text and puts the root cause first."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from diagnostics.explain.condense import condense
from diagnostics.explain.known.catalog import ROWS
from diagnostics.explain.row import Cure, Row, compiled, needle_of
from diagnostics.explain.wording import filled, sentence
from diagnostics.finding import Evidence, Finding, Fix

BEFORE, AFTER = 400, 3000
"""Characters around a literal hit in which the full pattern may match."""
FIRST_HITS, LAST_HITS = 40, 5
"""How many literal hits of one pattern are looked at from the start and from the end."""
SHOWN = 300
"""Length of the quoted evidence."""

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A row that matched, and where."""

    row: Row
    match: re.Match[str]


def explain(text: str, *, source: str = "text", python: str = "python") -> list[Finding]:
    """What is known about the errors in a text, best first, root cause on top.

    `source` names the text in the evidence, `python` the interpreter that fix commands are
    written for. An innocent text gives an empty list. Never raises for any text.
    """
    if "\x1b" in text:
        text = _COLOURS.sub("", text)
    text, line_of = condense(text)
    found = hits(text)
    consequences = {code for hit in found for code in hit.row.explains}
    found.sort(key=lambda hit: _rank(hit, consequences))
    codes = {hit.row.code for hit in found}
    return [
        _finding(hit, text, f"{source}:{line_of(hit.match.start())}", python, codes)
        for hit in found
    ]


def hits(text: str) -> list[Hit]:
    """The first match of every row that matches, in the order of the tables."""
    found = []
    for row in ROWS:
        matches = [m for p in row.patterns if (m := _search(p, text)) is not None]
        if matches:
            found.append(Hit(row=row, match=min(matches, key=lambda m: m.start())))
    return found


def _search(pattern: str, text: str) -> re.Match[str] | None:
    expression = compiled(pattern)
    for start in _candidates(needle_of(pattern), text):
        low = text.rfind("\n", 0, max(0, start - BEFORE)) + 1
        match = expression.search(text, max(low, start - BEFORE), start + AFTER)
        if match is not None:
            return match
    return None


def _candidates(needle: str, text: str) -> Iterator[int]:
    """Where the literal part of a pattern stands; the first hits, then the last."""
    seen, start = 0, text.find(needle)
    while start >= 0 and seen < FIRST_HITS:
        yield start
        seen += 1
        start = text.find(needle, start + 1)
    end = len(text)
    for _ in range(LAST_HITS if start >= 0 else 0):
        end = text.rfind(needle, start, end)
        if end < 0:
            return
        yield end


def _rank(hit: Hit, consequences: set[str]) -> tuple[bool, bool, int, int]:
    # Python prints the first cause of a chain first, and a log its first error first.
    return (
        hit.row.code in consequences,
        hit.row.is_symptom,
        -hit.row.level.rank,
        hit.match.start(),
    )


def _finding(hit: Hit, text: str, source: str, python: str, codes: set[str]) -> Finding:
    row, match = hit.row, hit.match
    values = {name: value or "" for name, value in match.groupdict().items()}
    values = {name: " ".join(value.split()) for name, value in values.items()}
    if row.derive is not None:
        values |= row.derive(values)
    values["python"] = python
    begin = text.rfind("\n", 0, match.start()) + 1
    end = text.find("\n", match.start())
    quoted = text[begin : end if end >= 0 else len(text)].strip()[:SHOWN]
    return Finding(
        code=row.code,
        area=row.area,
        level=row.level,
        summary=sentence(row.says, values),
        cause=sentence(row.why, values),
        evidence=(Evidence(source=source, value=quoted),),
        fixes=tuple(_fix(cure, values) for cure in row.cures),
        explains=tuple(code for code in row.explains if code in codes),
        links=row.links,
    )


def _fix(cure: Cure, values: dict[str, str]) -> Fix:
    why = sentence(cure.why, values)
    if cure.is_argv:
        # Split first, fill in afterwards: captured text can never become another argument.
        argv = tuple(filled(part, values) for part in shlex.split(cure.line))
        return Fix(argv=argv, why=why, safety=cure.safety)
    is_command = cure.safety.value != "manual"
    shown = {k: shlex.quote(v) for k, v in values.items()} if is_command else values
    return Fix(argv=(), why=why, safety=cure.safety, shell=filled(cure.line, shown))
