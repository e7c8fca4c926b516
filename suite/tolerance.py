"""Tolerance: how far the outputs of an exported graph may lie from the module's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How far a result may stray before it counts as wrong.

    A graph is held against float64 and may be off by a multiple of what eager float32 is off by itself
    (suite.stages.export.parity). A tolerance that a record declares allows more than that, element by element. The
    defaults hold between two versions of a model, where there is no float64 run to measure by.
    """

    rtol: float = 1e-3
    """Relative part (torch.testing.assert_close)."""
    atol: float = 1e-4
    """Absolute part, in the outputs' unit."""
    outputs: Mapping[str, float] = field(default_factory=dict)
    """Output -> absolute part, where outputs have units of their own, e.g. {"boxes": 1e-2} in pixels."""
    multiple: float = 10.0
    """Times eager float32's own error, against float64, that a graph's error may be. Right graphs of the catalogue
    reach 3, and 7 on the oldest instruction set without optimization (docs/results/2026-11-29-parity.md)."""
    reason: str = ""
    """Why it differs from the default; empty for the default."""

    def of(self, output: str) -> Tolerance:
        """The tolerance of one output; `boxes_1`, of the second of several results, is that of `boxes`."""
        name = output if output in self.outputs else output.rpartition("_")[0]
        return replace(self, atol=self.outputs.get(name, self.atol))

    def declared(self, output: str) -> Tolerance | None:
        """What the record allows that output beside the size of eager's own error; None where it names nothing."""
        default = Tolerance()
        if (self.rtol, self.atol) != (default.rtol, default.atol):
            return self.of(output)
        name = output if output in self.outputs else output.rpartition("_")[0]
        return replace(self, rtol=0.0, atol=self.outputs[name]) if name in self.outputs else None
