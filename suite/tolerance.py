"""Tolerance: how far the outputs of an exported graph may lie from the module's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How far a result may stray before it counts as wrong."""

    rtol: float = 1e-3
    """Relative part for parity of float32 outputs (torch.testing.assert_close)."""
    atol: float = 1e-4
    """Absolute part, in the outputs' unit."""
    outputs: Mapping[str, float] = field(default_factory=dict)
    """Output -> absolute part, where outputs have units of their own, e.g. {"boxes": 1e-2} in pixels."""
    reason: str = ""
    """Why it differs from the default; empty for the default."""

    def of(self, output: str) -> Tolerance:
        """The tolerance of one output; `boxes_1`, of the second of several results, is that of `boxes`."""
        name = output if output in self.outputs else output.rpartition("_")[0]
        return replace(self, atol=self.outputs.get(name, self.atol))
