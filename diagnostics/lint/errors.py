"""What one rule found, before the correction is added."""

from __future__ import annotations

from dataclasses import dataclass

from diagnostics.finding import Level
from diagnostics.lint.plan import Wish


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One impossibility."""

    code: str
    level: Level
    summary: str
    cause: str
    wishes: tuple[Wish, ...]
