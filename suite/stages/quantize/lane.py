"""Worker side. Lane: one way to quantize, made ready to be judged beside what it was made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from suite.claims import Claim
from suite.results.quantize import QuantizationReport
from suite.training.quality import Forward


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A quantized model beside the float one, both ready to run."""

    reference: Forward
    """The model in float, run by the same backend."""
    quantized: Forward
    calls: Mapping[str, Callable[[], Any]]
    """Arm -> one forward pass on the cell's batch: `float`, `quantized`, and others that are worth a look."""
    claims: Sequence[Claim]
    """What the lane itself proves: counts, bytes."""
    report: QuantizationReport
    """What the recipe did."""
    synchronize: Callable[[], None] = lambda: None
