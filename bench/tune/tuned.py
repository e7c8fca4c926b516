"""Tuned: everything that `tune` found out about one model, which its outputs render."""

from __future__ import annotations

from dataclasses import dataclass

from bench.instruments.results import SearchResult
from bench.summary.lifecycle_records import Quality
from bench.tune.choice import Choice
from bench.tune.lanes import Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """The lanes of one model on this machine, and which one to ship."""

    model: str
    size: str
    device: str
    folder: str
    """Folder with the logs, the graphs, and this document."""
    machine: dict[str, str]
    quality: Quality | None
    """The task's metric; None = lanes are judged by their agreement with float32."""
    candidates: tuple[Candidate, ...]
    found: SearchResult
    choice: Choice
    is_busy: bool = False
    is_broken_off: bool = False
    """Whether the user broke it off."""
    phase: str = ""
    """Where that was."""
    seconds: float = 0.0
    bundle: str = ""
    """Folder of the reproduction bundle; empty = there is none."""
    bundle_latency: tuple[float, float] | None = None
    """Interval in seconds in which the latency of one more fresh process lies, 95%."""
    no_bundle: str = ""
    """Why there is none."""
