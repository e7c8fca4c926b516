"""Text that Markdown and HTML cannot read as markup."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_SPECIAL: Final = re.compile(r"([\\`*{}\[\]<>#|~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")


def line(cells: Iterable[str]) -> str:
    """One line of a table."""
    return f"| {' | '.join(cells)} |"


def safe(text: str, limit: int = 400) -> str:
    """The text on one line with everything that Markdown or HTML could read as markup escaped."""
    flat = " ".join(text.split())
    flat = flat if len(flat) <= limit else f"{flat[: limit - 1]}…"
    # A zero-width space keeps GitHub from reading a name as a person to notify.
    return _SPECIAL.sub(r"\\\1", flat).replace("@", "@\u200b")
