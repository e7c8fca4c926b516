"""The user error of the history."""

from __future__ import annotations


class HistoryError(ValueError):
    """The request cannot be fulfilled; the message has the reason and the next step, shown without a traceback."""
