"""Options of the doctor: command line and pyproject.toml."""

from __future__ import annotations

import argparse
import os
import re
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NoReturn

_OUR_TABLE = re.compile(r"""\bvitals["']?\s*(?:\]|=|\.\s*["']?doctor)""")
"""What stands wherever `tool.vitals.doctor` is set, however the tables are cut."""
COMMANDS = {
    "explain": "error text from FILE or - to cause and fix",
    "run": "run -- COMMAND, and explain its errors",
    "lint": "judge an install command or a requirements file",
    "model": "why a model file cannot be loaded",
    "fit": "whether a model fits a card",
    "mcp": "the same for programs, over the Model Context Protocol",
    "report": "a redacted report for an issue",
}


class Misuse(ValueError):
    """The command line or the configuration cannot be understood."""


class Parser(argparse.ArgumentParser):
    """Raises Misuse in place of leaving the program."""

    def error(self, message: str) -> NoReturn:
        """Raises Misuse with the message."""
        raise Misuse(message)


def parser() -> Parser:
    """Return the parser of `python -m diagnostics`."""
    found = Parser(
        formatter_class=partial(argparse.HelpFormatter, width=_columns() - 2),
        prog="python -m diagnostics",
        description="Finds what is wrong with a PyTorch environment and prints the fix.",
        epilog="commands: " + "; ".join(f"{name} ({what})" for name, what in COMMANDS.items()),
    )
    add = found.add_argument
    add("command", nargs="?", choices=("report",), help=argparse.SUPPRESS)
    add("--python", metavar="PATH", help="examine another interpreter or virtual environment")
    add("--deep", action="store_true", help="also import and try each part, up to a minute")
    add("--facts", metavar="FILE", help="examine saved facts in place of this machine")
    add("--save-facts", metavar="FILE", help="save the facts, redacted, for a later --facts")
    add("--select", action="append", default=[], metavar="CODES", help="only these checks")
    add("--ignore", action="append", default=[], metavar="CODES", help="not these checks")
    add("--fix", action="store_true", help="run the commands that cure what is found, after a yes")
    add("--dry-run", action="store_true", help="with --fix: only show what would be run")
    add("--strict", action="store_true", help="warnings count as errors")
    add("--list", action="store_true", help="list the checks")
    add("--json", action="store_true", help="the same as --format json")
    add("--format", choices=("text", "json", "markdown"), help="how to say it")
    add("--no-redact", action="store_true", help="leave names, addresses and paths in")
    add("-v", "--verbose", action="store_true", help="show every check")
    return found


def _columns() -> int:
    """Return the width of the terminal; argparse would import shutil for it, once per option."""
    asked = os.environ.get("COLUMNS", "")
    with suppress(OSError, ValueError, AttributeError):
        return int(asked) if asked.isdigit() else os.get_terminal_size().columns
    return 80


def codes(values: list[str]) -> tuple[str, ...]:
    """Return the codes of repeated and comma-separated options."""
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip())


def silenced(folder: Path) -> tuple[str, ...]:
    """Return the codes that `[tool.vitals.doctor] ignore` of the nearest pyproject.toml silences.

    Raises Misuse when the table is there and is not a list of codes.
    """
    for place in (folder, *folder.parents):
        path = place / "pyproject.toml"
        if not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
            if not _OUR_TABLE.search(text):
                return ()  # most projects have none, and the parser takes as long as ten checks
            import tomllib

            data = tomllib.loads(text)
        except (OSError, ValueError):
            return ()  # another tool's trouble: the doctor must still run
        table = data.get("tool", {}).get("vitals", {}).get("doctor", {})
        found = table.get("ignore", [])
        if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
            raise Misuse(f"{path}: tool.vitals.doctor.ignore must be a list of codes")
        return tuple(found)
    return ()
