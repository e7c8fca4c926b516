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
