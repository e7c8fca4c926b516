"""Worker side. Fidelity: how far a model agrees with float32 on the same inputs, where no task has a metric."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from suite.results.quantize import Fidelity
from suite.spec import ModelSpec
from suite.states.store import source_of
from suite.tasks.batch import Batch
from suite.tasks.task_of import batch_for
from suite.training.quality import Forward
from suite.worker.protocol import CellJob

NUM_DRAWS: Final = 8
"""Inputs on which two models are compared."""


def draws_of(job: CellJob, spec: ModelSpec) -> list[Batch]:
    """Return batches of the cell's size, each of another seed."""
    return [
        batch_for(
            spec,
            job.cell.size,
            source_of(job, spec),
            num_samples=job.cell.batch,
            seed=job.options.seed + number,
            overrides=job.cell.overrides,
        )
        for number in range(NUM_DRAWS)
    ]


def fidelity_of(reference: Forward, other: Forward, batches: Sequence[Batch]) -> Fidelity:
    """Return the agreement of `other` with `reference` over the batches.

    Raise ValueError if they return another number of tensors or other shapes: that is no question of precision.
    """
    signal = noise = 0.0
    same = rows = 0
    for batch in batches:
        expected, actual = reference(batch), other(batch)
        shapes = [[list(t.shape) for t in outputs] for outputs in (expected, actual)]
        if shapes[0] != shapes[1]:
            raise ValueError(f"the outputs have the shapes {shapes[1]}; expected {shapes[0]}")
        for one, two in zip(expected, actual, strict=True):
            if one.is_floating_point():
                signal += float(one.double().square().sum())
                noise += float((one.double() - two.double()).square().sum())
        hits, count = _same_places(expected, actual)
        same, rows = same + hits, rows + count
    return Fidelity(
        relative_error=_error(signal, noise),
        argmax_agreement=same / rows if rows else None,
        num_inputs=len(batches),
    )


def _error(signal: float, noise: float) -> float:
    if not math.isfinite(noise) or (not signal and noise):
        return math.inf
    return math.sqrt(noise / signal) if signal else 0.0


def _same_places(expected: Sequence[Tensor], actual: Sequence[Tensor]) -> tuple[int, int]:
    """Return in how many rows of the first floating-point output the largest element is at the same place, of how many.

    A row is the last axis, e.g. classes or tokens; an axis of one has no largest element.
    """
    for one, two in zip(expected, actual, strict=True):
        if one.is_floating_point() and one.ndim and one.shape[-1] > 1:
            hits = torch.eq(one.argmax(dim=-1), two.argmax(dim=-1))
            return int(hits.sum()), hits.numel()
    return 0, 0
