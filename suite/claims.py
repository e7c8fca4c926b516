"""Claims: a stage's statements about its effect on a model, with evidence, to expose a stage that does nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One condition that must hold."""

    name: str
    """The claim in a few words: "a single batch can be overfitted"."""
    holds: bool
    evidence: str
    """The figures and their expected values."""
