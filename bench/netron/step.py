"""Node of any graph, with only the data that a summary by blocks needs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A node of an ONNX graph or of an exported program."""

    operator: str
    scope: str
    """Module; empty if the file does not name it."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """A whole graph."""

    steps: tuple[Step, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
