"""Worker side. The error of this package."""

from __future__ import annotations


class PruningError(RuntimeError):
    """Nothing, too little or the wrong thing was removed; the message has expected and actual, and what to do next."""


class OutputsChanged(PruningError):
    """The pruned module's outputs have other shapes."""
