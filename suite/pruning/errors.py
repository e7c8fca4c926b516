"""Worker side. The error of everything here."""

from __future__ import annotations


class PruningError(RuntimeError):
    """Nothing, too little or the wrong thing was removed; the message has both sides and what to do next."""
