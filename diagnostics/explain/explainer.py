"""Searches a text for known messages and sorts them, the root cause first."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from diagnostics.explain.condense import condense
from diagnostics.explain.installer import Target, target_of, translate
from diagnostics.explain.known.catalog import ROWS
from diagnostics.explain.row import Cure, Row, compiled, needle_of
from diagnostics.explain.wording import filled, sentence
from diagnostics.finding import Evidence, Finding, Fix, Level

BEFORE, AFTER = 400, 3000
"""Characters around a literal hit in which the full pattern may match."""
FIRST_HITS, LAST_HITS = 40, 5
"""How many literal hits of one pattern are looked at from the start and from the end."""
SHOWN = 300
"""Length of the quoted evidence."""
TRACEBACK = 20_000
"""Characters of the last traceback in which a known message may explain it."""

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A row that matched, and where."""

    row: Row
    match: re.Match[str]
    values: dict[str, str]
    """The captured groups, those of the row's context included."""


def explain(
    text: str, *, source: str = "text", python: str = "python", unknown: bool = False
) -> list[Finding]:
    """Return what is known about the errors in a text, best first, root cause on top.

    `source` names the text in the evidence, `python` the interpreter that fix commands are
    written for. A text without errors gives an empty list. With `unknown`, a last traceback that
    no row of level error explains gets a finding as well. Never raises for any text.
    """
    if "\x1b" in text:
        text = _COLOURS.sub("", text)
    text = text.replace("\r\n", "\n")
    text, line_of = condense(text)
    found = hits(text)
    consequences = {code for hit in found for code in hit.row.explains}
    found.sort(key=lambda hit: _rank(hit, consequences))
    codes = {hit.row.code for hit in found}
    target = target_of(python)
    findings = [
        _finding(hit, text, f"{source}:{line_of(hit.match.start())}", target, codes)
        for hit in found
    ]
    if unknown:
        findings += _unexplained(text, source, line_of, python)
    return findings


def _unexplained(
    text: str, source: str, line_of: Callable[[int], int], python: str
) -> list[Finding]:
    """The finding for the text's last exception when no row explains it."""
    # Imported here: callers that do not ask for it need not load it.
    from diagnostics.explain.unknown import last_raised, unknown

    raised = last_raised(text)
    if raised is None:
        return []
    begin = max(raised.start, raised.position - TRACEBACK)
    # The process that dies last often repeats what another one printed first.
    around = text[begin : raised.position + AFTER]
    if any(hit.row.level.rank >= Level.ERROR.rank for hit in hits(around)):
        return []
    return [unknown(text, raised, f"{source}:{line_of(raised.position)}", python)]


def hits(text: str) -> list[Hit]:
    """The first match of every row that applies, in the order of the tables."""
    found = []
    for row, patterns in _table():
        matches = [
            match
            for needle, pattern in patterns
            if needle in text and (match := _search(pattern, needle, text)) is not None
        ]
        if matches:
            match = min(matches, key=lambda m: m.start())
            values = _applies(row, match, text)
            if values is not None:
                found.append(Hit(row=row, match=match, values=values))
    particular = [hit.match for hit in found if not hit.row.is_fallback]
    return [
        hit
        for hit in found
        if not hit.row.is_fallback or not any(_overlap(hit.match, other) for other in particular)
    ]


def _overlap(one: re.Match[str], other: re.Match[str]) -> bool:
    return one.start() < other.end() and other.start() < one.end()


def _applies(row: Row, match: re.Match[str], text: str) -> dict[str, str] | None:
    """The captured groups, or None when the rest of the text speaks against the row."""
    values = {name: value or "" for name, value in match.groupdict().items()}
    if row.absent and compiled(row.absent).search(text) is not None:
        return None
    if row.context:
        context = compiled(row.context).search(text)
        if context is None:
            return None
        values |= {name: value or "" for name, value in context.groupdict().items()}
    values = {name: " ".join(value.split()) for name, value in values.items()}
    return values if row.when is None or row.when(values) else None


@cache
def _table() -> tuple[tuple[Row, tuple[tuple[str, str], ...]], ...]:
    """Every row with its patterns, each after the literal text that is looked for first."""
    return tuple((row, tuple((needle_of(p), p) for p in row.patterns)) for row in ROWS)


def _search(pattern: str, needle: str, text: str) -> re.Match[str] | None:
    expression = compiled(pattern)
    for start in _candidates(needle, text):
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


def _finding(hit: Hit, text: str, source: str, target: Target, codes: set[str]) -> Finding:
    row, match = hit.row, hit.match
    values = dict(hit.values)
    if row.derive is not None:
        values |= row.derive(values)
    values |= {"python": target.python}
    values |= {name: target.pinned(name) for name in ("torch", "torchvision")}
    begin = text.rfind("\n", 0, match.start()) + 1
    end = text.find("\n", match.start())
    quoted = text[begin : end if end >= 0 else len(text)].strip()[:SHOWN]
    return Finding(
        code=row.code,
        area=row.area,
        level=row.level,
        summary=sentence(row.summary, values),
        cause=sentence(row.cause, values),
        evidence=(Evidence(source=source, value=quoted),),
        fixes=tuple(_fix(cure, values, target) for cure in row.cures),
        explains=tuple(code for code in row.explains if code in codes),
        links=row.links,
    )


def _fix(cure: Cure, values: dict[str, str], target: Target) -> Fix:
    why = sentence(cure.why, values)
    if cure.is_argv:
        # Split first, fill in afterwards: captured text can never become another argument.
        argv = tuple(filled(part, values) for part in shlex.split(cure.line))
        return Fix(argv=translate(argv, target), why=why, safety=cure.safety)
    is_command = cure.safety.value != "manual"
    shown = {k: shlex.quote(v) for k, v in values.items()} if is_command else values
    return Fix(argv=(), why=why, safety=cure.safety, shell=filled(cure.line, shown))
