"""Outcome: how a cell ended. Not run never looks like passed."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """How one cell ended."""

    PASSED = "passed"
    FAILED = "failed"
    """The work raised, or a claim about it did not hold."""
    CRASHED = "crashed"
    """The process died: a signal, an abort, an exit in the middle."""
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    UNSUPPORTED = "unsupported"
    """A declared gap of the model, with its reason."""
    KNOWN_BUG = "known_bug"
    """Declared as failing, and it failed."""
    UNAVAILABLE = "unavailable"
    """This machine lacks what it needs."""

    @property
    def is_bad(self) -> bool:
        """True when the run must not be called green."""
        return self in _BAD

    @property
    def has_run(self) -> bool:
        """True when the work was done and its numbers exist."""
        return self is Outcome.PASSED


_BAD = frozenset({Outcome.FAILED, Outcome.CRASHED, Outcome.TIMED_OUT, Outcome.OUT_OF_MEMORY})
