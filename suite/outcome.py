"""Outcome: the final state of a cell. A cell that did not run is never shown as passed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Outcome(StrEnum):
    """Final state of one cell."""

    PASSED = "passed"
    FAILED = "failed"
    """The work raised, or a claim about it did not hold."""
    CRASHED = "crashed"
    """The process died from a signal, an abort or an early exit."""
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    NOT_RUN = "not_run"
    """Not tried, because a step that it starts from did not pass; that one has the failure."""
    UNSUPPORTED = "unsupported"
    """A declared gap of the model, with its reason."""
    KNOWN_BUG = "known_bug"
    """Declared as failing, and it failed."""
    UNAVAILABLE = "unavailable"
    """A requirement is missing on this machine."""

    @property
    def is_bad(self) -> bool:
        """True for a failure of the cell's own: the run must not be reported as green."""
        return self in _BAD

    @property
    def has_run(self) -> bool:
        """True if the work was completed and its numbers exist."""
        return self is Outcome.PASSED


_BAD = frozenset({Outcome.FAILED, Outcome.CRASHED, Outcome.TIMED_OUT, Outcome.OUT_OF_MEMORY})


@dataclass(frozen=True, slots=True)
class Wording:
    """Presentation of an outcome."""

    title: str
    meaning: str
    """One sentence."""
    mark: str
    """One character, so colour is never the only sign."""
    style: str
    """A style of rich."""


_BAD_STYLE: Final = "bold red"

WORDING: Final = {
    Outcome.PASSED: Wording("passed", "The step ran and its claims hold.", "✓", "green"),
    Outcome.FAILED: Wording(
        "failed", "The work raised an error, or a claim about it did not hold.", "✗", _BAD_STYLE
    ),
    Outcome.CRASHED: Wording("crashed", "The worker process died.", "✗", _BAD_STYLE),
    Outcome.OUT_OF_MEMORY: Wording(
        "out of memory", "The worker ran out of memory or was killed for it.", "✗", _BAD_STYLE
    ),
    Outcome.TIMED_OUT: Wording(
        "timed out", "The worker was killed at its deadline.", "✗", _BAD_STYLE
    ),
    Outcome.NOT_RUN: Wording(
        "not run", "Not tried: a step that it starts from did not pass.", "↳", "yellow"
    ),
    Outcome.KNOWN_BUG: Wording("known bug", "Declared as failing, and it failed.", "!", "yellow"),
    Outcome.UNSUPPORTED: Wording(
        "unsupported", "A declared gap of the model; not tried.", "–", "dim"
    ),
    Outcome.UNAVAILABLE: Wording("unavailable", "This machine lacks what it needs.", "–", "dim"),
}
"""Outcome -> presentation, in reading order: passed first, then the worst."""
