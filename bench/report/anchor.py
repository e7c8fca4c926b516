"""Anchors: a cell's id as an HTML id, the same text wherever it is one already."""

from __future__ import annotations

import hashlib
import re
from typing import Final

_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,149}")
_FOREIGN: Final = re.compile(r"[^A-Za-z0-9._:-]+")


def anchor(cell_id: str) -> str:
    """The id itself, or, for one with foreign characters or of great length, a readable part and a digest."""
    if _PLAIN.fullmatch(cell_id):
        return cell_id
    digest = hashlib.sha256(cell_id.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"c-{_FOREIGN.sub('_', cell_id)[:60]}-{digest}"
