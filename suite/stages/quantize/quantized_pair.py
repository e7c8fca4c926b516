"""Worker side. Quantized pair: the quantized model and the float one, ready to be compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from suite.claims import Claim
from suite.results.quantize import QuantizationReport
from suite.training.quality import Forward


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizedPair:
    """A quantized model and the float one, both ready to run."""

    reference: Forward
    """The float model, run by the same backend."""
    quantized: Forward
    calls: Mapping[str, Callable[[], Any]]
    """Arm -> one forward pass on the cell's batch: `float`, `quantized`, and further ones of interest."""
    claims: Sequence[Claim]
    """The recipe's own claims: counts, bytes."""
    report: QuantizationReport
    """What the recipe did."""
    synchronize: Callable[[], None] = lambda: None
