"""Results of the deep tier."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One import or tiny operation, run in a process of its own."""

    name: str
    outcome: str
    """`passed`, `failed`, `crashed`, `timed_out`, `wrong` or `unavailable`."""
    seconds: float = 0.0
    detail: str = ""
    """Last line of the error, or the measured value."""
    log: str = ""
    """Tail of what it wrote to stderr."""
    values: dict[str, str] = field(default_factory=dict)
