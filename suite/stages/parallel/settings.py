"""Worker side. The training settings shared by one process and several, so that their losses can be compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from suite.axes import TENSOR
from suite.lifecycle import Training
from suite.spec import ModelSpec

STEPS: Final = 8
"""Optimizer steps: enough for a mistake in the gradients to show in the losses."""


def undisturbed(spec: ModelSpec, size: str, nproc: int, strategy: str) -> Training:
    """Return the record's training settings with a batch divisible by the number of processes.

    Tensor parallelism gives every process the whole batch. Plain SGD: Adam would turn a difference in the last bit of a
    gradient near 0 into a whole step.
    """
    settings = spec.sizes[size].training
    batch = max(nproc, settings.batch // nproc * nproc)
    share = batch if strategy == TENSOR else batch // nproc
    return replace(
        settings,
        optimizer="sgd",
        learning_rate=min(settings.learning_rate, 0.01),
        weight_decay=0.0,
        batch=batch,
        micro_batch=share,
        schedule="constant",
        warmup=0.0,
    )
