"""Write files that are complete or absent, whichever process is killed meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def write_whole(path: Path, text: str | Iterable[str]) -> None:
    """Write `text`, or its parts one after another, to `path`, completely or not at all.

    Raises OSError when it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("w", encoding="utf-8", errors="replace") as file:
            file.writelines((text,) if isinstance(text, str) else text)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def is_abandoned_draft(path: Path) -> bool:
    """Return whether the file is a draft of `write_whole` whose process is gone."""
    number = path.suffix.removeprefix(".")
    if not (path.name.startswith(".") and path.name.count(".") > 2 and number.isdigit()):
        return False
    try:
        os.kill(int(number), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        return False
    return (
        int(number) == os.getpid()
    )  # of an earlier process of that number: this one writes none now
