"""Escaping of text for Markdown and HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from diagnostics.control_codes import without_codes

PIPE: Final = "\\|"
_SPECIAL: Final = re.compile(r"([\\`*{}\[\]<>#|~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")


def line(cells: Iterable[str]) -> str:
    """Return one line of a table."""
    return f"| {' | '.join(cells)} |"


def code(text: str, *, in_table: bool = False) -> str:
    """Return the text as inline code that it cannot end itself."""
    flat = without_codes(" ".join(text.split())).replace("`", "'")
    return f"`{flat.replace('|', PIPE) if in_table else flat}`"


def fenced(text: str, language: str = "sh") -> str:
    """Return the text as a block of code that it cannot end itself."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{without_codes(text)}\n{fence}"


def safe(text: str, limit: int = 400) -> str:
    """Return the text on one line with everything escaped that Markdown or HTML could read as markup."""
    flat = without_codes(" ".join(text.split()))
    flat = flat if len(flat) <= limit else f"{flat[: limit - 1]}…"
    # A zero-width space keeps GitHub from interpreting a name as a mention.
    return _SPECIAL.sub(r"\\\1", flat).replace("@", "@\u200b")
