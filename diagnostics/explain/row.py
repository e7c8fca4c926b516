"""The row of an explanation table: the texts that it matches, their cause and the cures."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache

from diagnostics.finding import Level, Safety

Groups = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cure:
    """One cure; `{name}` stands for what a pattern captured, `{python}` for the interpreter."""

    line: str
    why: str
    safety: Safety
    is_argv: bool
    """True for a plain command; False for a shell line or for words about an edit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One known kind of failure."""

    code: str
    patterns: tuple[str, ...]
    """Regular expressions; the literal text in each is looked for first."""
    summary: str
    """One sentence; `{name}` stands for a captured group."""
    cause: str
    cures: tuple[Cure, ...] = ()
    level: Level = Level.ERROR
    area: str = ""
    explains: tuple[str, ...] = ()
    """Codes of rows that are consequences when this row matches as well."""
    is_symptom: bool = False
    """True when the text tells that something failed but not why."""
    is_fallback: bool = False
    """True for a general row that is left out where a particular row knows the same words."""
    derive: Callable[[dict[str, str]], dict[str, str]] | None = None
    """Adds values computed from the captured groups."""
    links: tuple[str, ...] = ()
    context: str = ""
    """A pattern that must match somewhere in the text too; its groups are captured as well."""
    absent: str = ""
    """A pattern that must not match anywhere in the text: it would mean another cause."""
    when: Callable[[dict[str, str]], bool] | None = None
    """Decides by the captured groups whether the row applies."""


def row(
    code: str,
    *patterns: str,
    summary: str,
    cause: str,
    cures: tuple[Cure, ...] = (),
    level: Level = Level.ERROR,
    explains: tuple[str, ...] = (),
    is_symptom: bool = False,
    is_fallback: bool = False,
    derive: Callable[[dict[str, str]], dict[str, str]] | None = None,
    links: tuple[str, ...] = (),
    context: str = "",
    absent: str = "",
    when: Callable[[dict[str, str]], bool] | None = None,
) -> Row:
    """A row for a table; the area comes from `rows`."""
    return Row(
        code=code,
        patterns=patterns,
        summary=summary,
        cause=cause,
        cures=cures,
        level=level,
        explains=explains,
        is_symptom=is_symptom,
        is_fallback=is_fallback,
        derive=derive,
        links=links,
        context=context,
        absent=absent,
        when=when,
    )


def rows(area: str, *table: Row) -> tuple[Row, ...]:
    """The rows of one area."""
    return tuple(replace(item, area=area) for item in table)


def run(line: str, why: str) -> Cure:
    """A command that changes only the Python environment, or nothing."""
    return Cure(line=line, why=why, safety=Safety.SAFE, is_argv=True)


def pip(arguments: str, why: str) -> Cure:
    """A pip command for the examined interpreter."""
    return run(f"{{python}} -m pip {arguments}", why)


def sh(line: str, why: str) -> Cure:
    """A line for the shell, such as an export."""
    return Cure(line=line, why=why, safety=Safety.SAFE, is_argv=False)


def root(line: str, why: str) -> Cure:
    """A command that needs administrator rights or restarts something."""
    return Cure(line=line, why=why, safety=Safety.PRIVILEGED, is_argv=False)


def do(line: str, why: str) -> Cure:
    """Something that a person has to edit or decide."""
    return Cure(line=line, why=why, safety=Safety.MANUAL, is_argv=False)


_SPECIAL = frozenset(".^$|()[]{}*+?\\")


@cache
def needle_of(pattern: str) -> str:
    """The longest text that stands literally in everything a pattern matches; may be empty.

    Reads the top level of the expression only: groups, classes and optional parts are left out,
    so the answer can be too short but never wrong. Raises ValueError for `a|b` outside a group.
    """
    runs, current, depth, i = [""], "", 0, 0
    while i < len(pattern):
        char = pattern[i]
        if char == "\\":
            escaped = pattern[i + 1]
            literal = "" if escaped.isalnum() else escaped
            i += 2
        elif char == "[":
            i = _class_end(pattern, i)
            literal = ""
        elif char == "{":
            i = pattern.index("}", i) + 1
            literal = ""
        else:
            if char == "|" and depth == 0:
                raise ValueError(f"alternatives at the top level have no common text: {pattern}")
            literal = "" if char in _SPECIAL else char
            depth += {"(": 1, ")": -1}.get(char, 0)
            i += 1
        follows = pattern[i : i + 1]
        # A quantifier that allows none takes its character out of what must be there.
        if follows and follows in "?*{":
            literal = ""
        if literal and depth == 0:
            current += literal
        else:
            runs.append(current)
            current = ""
    return max([*runs, current], key=len)


def _class_end(pattern: str, start: int) -> int:
    end = start + 2 if pattern[start + 1] != "^" else start + 3
    while pattern[end] != "]":
        end += 2 if pattern[end] == "\\" else 1
    return end + 1


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """The compiled pattern; `^` and `$` mean lines."""
    return re.compile(pattern, re.MULTILINE)
