"""Worker side. The samples on which layers and ways of quantizing are judged, apart from those of the stage's claim."""

from __future__ import annotations

from itertools import islice
from typing import Final

import torch
from torch import Tensor

from suite.data.splits import VALIDATION_SPLIT
from suite.flat_tensors import flatten_inputs
from suite.quality import drop
from suite.quantization.sensitivity import Outputs, relative_error
from suite.quantization.switched import Feeds
from suite.spec import ModelSpec
from suite.stages.quantize.fidelity import NUM_DRAWS
from suite.stages.quantize.graphs import drawn
from suite.stages.quantize.mending import HeldOut
from suite.tasks.batch import Batch
from suite.training.quality import Forward, quality
from suite.training.setup import TrainingSetup, num_samples_of
from suite.worker.protocol import CellJob

FIRST_HELD_OUT: Final = 2000
"""Seed of the first drawn sample, beyond those of results (0 ...) and of calibration (1000 ...)."""
NUM_FEW: Final = 8
"""Inputs on which the error of a layer is measured where its metric would take too long."""


def held_out_of_task(
    job: CellJob, spec: ModelSpec, setup: TrainingSetup, reference: Forward
) -> HeldOut:
    """Return the validation samples with the drop of the task's metric against the float graph."""
    batches = setup.validation()
    float32 = quality(spec, reference, batches)

    def loss(outputs: Outputs) -> float:
        answers = iter(outputs)

        def forward(batch: Batch) -> list[Tensor]:
            return [torch.from_numpy(array) for array in next(answers)]

        return drop(spec.scale, float32, quality(spec, forward, batches))

    few = list(islice(drawn(job, spec, first=FIRST_HELD_OUT, split=VALIDATION_SPLIT), NUM_FEW))
    return HeldOut(
        feeds=[_feeds(batch) for batch in batches],
        num_samples=num_samples_of(batches),
        loss=loss,
        few=[_feeds(batch) for batch in few],
        num_few=num_samples_of(few),
        is_metric=True,
    )


def held_out_as_built(job: CellJob, spec: ModelSpec, reference: Forward) -> HeldOut:
    """Return drawn samples with the relative error of the outputs: no task judges the model."""
    batches = list(
        islice(drawn(job, spec, first=FIRST_HELD_OUT, split=VALIDATION_SPLIT), NUM_DRAWS)
    )
    expected = [[tensor.numpy() for tensor in reference(batch)] for batch in batches]
    feeds = [_feeds(batch) for batch in batches]
    return HeldOut(
        feeds=feeds,
        num_samples=num_samples_of(batches),
        loss=lambda outputs: relative_error(expected, outputs),
        few=feeds,
        num_few=num_samples_of(batches),
        is_metric=False,
    )


def _feeds(batch: Batch) -> Feeds:
    return {k: v.contiguous().numpy() for k, v in flatten_inputs(batch.inputs).items()}
