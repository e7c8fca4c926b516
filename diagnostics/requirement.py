"""Parses requirement lines (PEP 508): name, extras, range or address, and marker."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from diagnostics.version import allows, try_parse

_LINE = re.compile(
    r"^\s*(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[(?P<extras>[^\]]*)\])?\s*"
    r"(?:@\s*(?P<url>[^;]+?)\s*(?=;|$))?\(?(?P<ranges>[^;)]*)\)?\s*(?:;(?P<marker>.*))?$"
)
_TOKEN = re.compile(
    r"\s*(?:(?P<paren>[()])|(?P<word>and|or|not\s+in|in)\b|(?P<sign>===|==|!=|<=|>=|~=|<|>)"
    r"|(?P<text>'[^']*'|\"[^\"]*\")|(?P<name>[A-Za-z_.]+))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One requirement, such as a line of Requires-Dist."""

    name: str
    """Normalised: lower case, words joined by `-`."""
    extras: tuple[str, ...] = ()
    ranges: str = ""
    marker: str = ""
    url: str = ""
    """The address of a direct reference (`name @ address`), empty for a range of versions."""


@cache
def normalise(name: str) -> str:
    """Return the name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def parse_requirement(line: str) -> Requirement | None:
    """Return the requirement in a line, None when it cannot be read."""
    found = _LINE.match(line)
    if found is None:
        return None
    extras = tuple(normalise(part.strip()) for part in (found["extras"] or "").split(",") if part)
    return Requirement(
        name=normalise(found["name"]),
        extras=extras,
        ranges="" if found["url"] else found["ranges"].strip(),
        marker=(found["marker"] or "").strip(),
        url=(found["url"] or "").strip(),
    )


def applies(marker: str, variables: Mapping[str, str]) -> bool:
    """Return True when the marker holds; one that cannot be read does not."""
    tokens = _tokens(marker)
    if tokens is None:
        return False
    if not tokens:
        return True
    try:
        value, rest = _either(tokens, variables)
    except (IndexError, ValueError):
        return False
    return value and not rest


def _tokens(marker: str) -> list[tuple[str, str]] | None:
    found: list[tuple[str, str]] = []
    position, text = 0, marker.strip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            return None
        kind = match.lastgroup or ""
        found.append((kind, " ".join(match[kind].split()) if kind == "word" else match[kind]))
        position = match.end()
    return found


def _either(tokens: list[tuple[str, str]], known: Mapping[str, str]) -> _Step:
    value, rest = _both(tokens, known)
    while rest and rest[0] == ("word", "or"):
        other, rest = _both(rest[1:], known)
        value = value or other
    return value, rest


def _both(tokens: list[tuple[str, str]], known: Mapping[str, str]) -> _Step:
    value, rest = _single(tokens, known)
    while rest and rest[0] == ("word", "and"):
        other, rest = _single(rest[1:], known)
        value = value and other
    return value, rest


def _single(tokens: list[tuple[str, str]], known: Mapping[str, str]) -> _Step:
    if tokens[0] == ("paren", "("):
        value, rest = _either(tokens[1:], known)
        if rest[0] != ("paren", ")"):
            raise ValueError("unclosed parenthesis in a marker")
        return value, rest[1:]
    left, sign, right = tokens[0], tokens[1][1], tokens[2]
    return _compare(left, sign, right, known), tokens[3:]


def _compare(
    left: tuple[str, str], sign: str, right: tuple[str, str], known: Mapping[str, str]
) -> bool:
    mine, other = (
        known.get(text.replace(".", "_"), "") if kind == "name" else text[1:-1]
        for kind, text in (left, right)
    )
    if "extra" in (left[1], right[1]):
        mine, other = normalise(mine), normalise(other)
    if sign in ("in", "not in"):
        return (mine in other) == (sign == "in")
    if any(
        "version" in text or "release" in text for kind, text in (left, right) if kind == "name"
    ):
        if left[0] != "name":
            flipped = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
            mine, other, sign = other, mine, flipped.get(sign, sign)
        if try_parse(mine):
            return allows(f"{sign}{other}", mine)
    return {"==": mine == other, "!=": mine != other, "<": mine < other, ">": mine > other}.get(
        sign, False
    )


_Step = tuple[bool, list[tuple[str, str]]]
