"""Escaping of text for Markdown and HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_SPECIAL: Final = re.compile(r"([\\`*{}\[\]<>#|~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")


def line(cells: Iterable[str]) -> str:
    """Return one line of a table."""
    return f"| {' | '.join(cells)} |"


def safe(text: str, limit: int = 400) -> str:
    """Return the text on one line with everything escaped that Markdown or HTML could read as markup."""
    flat = " ".join(text.split())
    flat = flat if len(flat) <= limit else f"{flat[: limit - 1]}…"
    # A zero-width space keeps GitHub from interpreting a name as a mention.
    return _SPECIAL.sub(r"\\\1", flat).replace("@", "@\u200b")
