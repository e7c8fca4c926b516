"""Claims: what a stage says it has done to a model, with the evidence, so that no stage can be a silent no-op."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One thing that has to hold."""

    name: str
    """What is claimed, in a few words: "a single batch can be overfitted"."""
    holds: bool
    evidence: str
    """The figures, and what was expected of them."""
