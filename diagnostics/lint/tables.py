"""Reads TOML tables and lists of requirement lines, whatever stands in them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from diagnostics.lint.plan import Reading, Wish, wish


def wishes_of(lines: object, where: str, reading: Reading) -> list[Wish]:
    """Return the requirements in a list of lines; a line that is none is noted in `not_read`."""
    found = []
    for line in as_list(lines):
        if not isinstance(line, str):
            continue
        text = re.sub(r"(^|\s)#.*$", "", line).strip()
        item = wish(text, where) if text else None
        if item is not None:
            found.append(item)
        elif text:
            reading.not_read.append(f"{where}: {text!r} is no requirement (name==1.2)")
    return found


def read_toml(path: Path) -> dict[str, Any]:
    """Return a TOML file's content. Raises ValueError when it is no TOML."""
    try:
        return tomllib.loads(path.read_text("utf-8", "replace"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path} is no TOML: {error}") from None


def table(data: object, key: str) -> dict[str, Any]:
    """Return the table below a key, an empty one where there is none."""
    found = data.get(key) if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}


def as_list(value: object) -> list[Any]:
    """Return a list as it is, an empty one for anything else."""
    return value if isinstance(value, list) else []
