"""Fills captured values into the sentences and commands of a row."""

from __future__ import annotations

import re
from collections.abc import Mapping

UNKNOWN = "?"
"""Stands for a value that the text did not give."""

_ASIDE = re.compile(r"\s*\([^()]*\{\w+\}[^()]*\)")
_TAIL = re.compile(r":? ?\{(\w+)\}(?=[.;]?$)")
_NAME = re.compile(r"(?<!\{)\{(\w+)\}")


class _Values(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return UNKNOWN


def sentence(template: str, values: Mapping[str, str]) -> str:
    """The sentence with its values; an aside in brackets or a tail that has none is left out."""
    known = {name: value for name, value in values.items() if value}
    shorter = _ASIDE.sub(
        lambda m: m[0] if set(_NAME.findall(m[0])) & known.keys() else "", template
    )
    shorter = _TAIL.sub(lambda m: m[0] if m[1] in known else "", shorter)
    return shorter.format_map(_Values(known))


def filled(template: str, values: Mapping[str, str]) -> str:
    """The template with its values and nothing left out, for commands."""
    return template.format_map(_Values({k: v for k, v in values.items() if v}))


def gaps(template: str, known: set[str]) -> set[str]:
    """Names that a sentence would have to show as unknown when only `known` have a value."""
    shown = sentence(template, dict.fromkeys(known, "x"))
    return set(_NAME.findall(template)) - known if UNKNOWN in shown else set()
