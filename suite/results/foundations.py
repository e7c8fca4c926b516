"""Result of one known-answer case."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from suite.results.step_result import DeviceResult


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundationResult(DeviceResult):
    """A question whose answer is known in advance, and the observed answer."""

    evidence: dict[str, Any] = field(default_factory=dict)
    """Name -> expected and observed value."""
    meaning: str = ""
    """One sentence: what holds when the case passes."""
    threads: int | None = None
