"""What a file of your own models imports: `from vitals.spec import Export, ModelSpec, Size`."""

from __future__ import annotations

from suite.lifecycle import Finetuning, Pruning, Quantization, Training
from suite.spec import Export, Gap, Metric, ModelSpec, Size
from suite.tolerance import Tolerance

__all__ = [
    "Export",
    "Finetuning",
    "Gap",
    "Metric",
    "ModelSpec",
    "Pruning",
    "Quantization",
    "Size",
    "Tolerance",
    "Training",
]
