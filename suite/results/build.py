"""Result of the stage `build`."""

from __future__ import annotations

from dataclasses import dataclass, field

from suite.results.step_result import StageResult


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult(StageResult):
    """A model that was built, checked against its record and restored from a file."""

    outputs: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Output name -> shape for the cell's batch."""
    published: int | None = None
    """Published number of parameters; None if the size has none."""
