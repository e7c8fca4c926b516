"""What goes wrong with a history, as the user is told."""

from __future__ import annotations


class HistoryError(ValueError):
    """The history cannot do what was asked; the text says why and what to do next, without a traceback."""
