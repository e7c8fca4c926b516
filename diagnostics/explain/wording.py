"""Fills captured values into the sentences and commands of a row."""

from __future__ import annotations

import re
from collections.abc import Mapping

UNKNOWN = "?"
"""Shown for a value that the text does not contain."""

_ASIDE = re.compile(r"\s*\([^()]*\{\w+\}[^()]*\)")
_TAIL = re.compile(r":? ?\{(\w+)\}(?=[.;]?$)")
_NAME = re.compile(r"(?<!\{)\{(\w+)\}")


class _Values(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return UNKNOWN


def sentence(template: str, values: Mapping[str, str]) -> str:
    """Fill in the values; an aside in brackets or a tail without any value is left out."""
    known = {name: value for name, value in values.items() if value}
    shorter = _ASIDE.sub(
        lambda m: m[0] if set(_NAME.findall(m[0])) & known.keys() else "", template
    )
    shorter = _TAIL.sub(lambda m: m[0] if m[1] in known else "", shorter)
    return shorter.format_map(_Values(known))


def filled(template: str, values: Mapping[str, str]) -> str:
    """Fill in the values and leave nothing out, for commands."""
    return template.format_map(_Values({k: v for k, v in values.items() if v}))


def gaps(template: str, known: set[str]) -> set[str]:
    """The names that a sentence shows as unknown when only `known` have a value."""
    shown = sentence(template, dict.fromkeys(known, "x"))
    return set(_NAME.findall(template)) - known if UNKNOWN in shown else set()
