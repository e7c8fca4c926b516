"""Anchors: a cell's id as an HTML id, unchanged if it is valid."""

from __future__ import annotations

import hashlib
import re
from typing import Final

_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,149}")
_FOREIGN: Final = re.compile(r"[^A-Za-z0-9._:-]+")


def anchor(cell_id: str) -> str:
    """Return the id itself, or, if it is long or has invalid characters, a readable part and a digest."""
    if _PLAIN.fullmatch(cell_id):
        return cell_id
    digest = hashlib.sha256(cell_id.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"c-{_FOREIGN.sub('_', cell_id)[:60]}-{digest}"
