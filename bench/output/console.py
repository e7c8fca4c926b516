"""Consoles and standard output of all commands, on terminals, pipes, files and old code pages."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from rich.console import Console  # imported where something is printed: JSON needs none of it

PIPED_WIDTH: Final = 140
"""Width in columns of a table that goes to a file or a pipe, where no window limits it."""
PLAIN: Final = {
    **dict.fromkeys("✓", "+"), **dict.fromkeys("✗×", "x"), **dict.fromkeys("–—─", "-"), **dict.fromkeys("·∙", "."),
    "▲": "^", "▼": "v", "≈": "~", "±": "+/-", "µ": "u", "…": "...", "→": "->", "▸": ">", "│": "|", "┊": "|", "●": "o",
    "⚠": "!", "\N{NO-BREAK SPACE}": " ", "\N{EN SPACE}": " ", "≤": "<=", "≥": ">=", "²": "2",
    **dict(zip("▁▂▃▄▅▆▇█", "_.:-=+*#", strict=True)),
}  # fmt: skip
"""Character in the output -> replacement for encodings that lack it."""
ERRORS: Final = "torch-vitals-plain"


def console_on(file: TextIO) -> Console:
    """Return a console that writes to `file`, whatever its encoding is."""
    from suite.calm_console import calm_console

    tolerate_encoding(file)
    return calm_console(file=file)


def print_to(
    out: Path | None, render: Callable[[Console], None], *, highlight: bool = True
) -> None:
    """Let `render` print to the file `out`, or to standard output; raise OSError if it cannot be written."""
    from suite.calm_console import calm_console

    if out is not None:
        with out.open("w", encoding="utf-8", errors="replace") as file:
            render(calm_console(file=file, width=PIPED_WIDTH, highlight=highlight))
        return
    tolerate_encoding(sys.stdout)
    is_piped = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    render(calm_console(width=PIPED_WIDTH if is_piped else None, highlight=highlight))
    sys.stdout.flush()


def write_text(text: str, out: Path | None) -> None:
    """Write a document in UTF-8 to the file `out`, or to standard output."""
    if out is not None:
        out.write_text(text, encoding="utf-8", errors="replace")
        return
    if reconfigure := getattr(sys.stdout, "reconfigure", None):
        reconfigure(encoding="utf-8", errors="replace")
    sys.stdout.write(text)
    sys.stdout.flush()


def tolerate_encoding(stream: TextIO | None) -> None:
    """Make the stream replace characters that its encoding lacks, such as `✓` in code page 1252, by similar ones."""
    encoding = (getattr(stream, "encoding", None) or "utf-8").lower().replace("_", "-")
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None and encoding not in ("utf-8", "utf8"):
        reconfigure(errors=ERRORS)


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    text = "".join(PLAIN.get(character, "?") for character in lost)
    return text, error.end


codecs.register_error(ERRORS, _plain)
