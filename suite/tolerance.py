"""Tolerance: the allowed deviation of an exported graph's outputs from the module's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """The deviation above which a result counts as wrong.

    A graph is compared with float64, and its error may be a multiple of eager float32's own
    (suite.stages.export.parity). A tolerance declared by a record allows more, element by element. The defaults apply
    between two versions of a model, where there is no float64 run to compare with.
    """

    rtol: float = 1e-3
    """Relative part (torch.testing.assert_close)."""
    atol: float = 1e-4
    """Absolute part, in the outputs' unit."""
    outputs: Mapping[str, float] = field(default_factory=dict)
    """Output -> absolute part, for outputs with their own units, e.g. {"boxes": 1e-2} in pixels."""
    multiple: float = 10.0
    """Maximum error of a graph against float64, as a multiple of eager float32's error. Correct graphs of the catalogue
    reach 3, and 7 on the oldest instruction set without optimization (docs/results/2026-11-29-parity.md)."""
    reason: str = ""
    """Reason for a difference from the default; empty for the default."""

    def of(self, output: str) -> Tolerance:
        """Return the tolerance of one output; `boxes_1`, from the second of several results, has that of `boxes`."""
        name = output if output in self.outputs else output.rpartition("_")[0]
        return replace(self, atol=self.outputs.get(name, self.atol))

    def declared(self, output: str) -> Tolerance | None:
        """Return the record's allowance for that output, in addition to eager's error; None if it declares none."""
        default = Tolerance()
        if (self.rtol, self.atol) != (default.rtol, default.atol):
            return self.of(output)
        name = output if output in self.outputs else output.rpartition("_")[0]
        return replace(self, rtol=0.0, atol=self.outputs[name]) if name in self.outputs else None
