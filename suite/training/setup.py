"""Worker side. TrainingSetup: everything a job trains with: model, data, settings, device and seed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from torch import nn

from suite.axes import is_accelerator
from suite.data.sources import Source
from suite.data.splits import TEST_SPLIT, VALIDATION_SPLIT
from suite.lifecycle import Training
from suite.spec import ModelSpec
from suite.tasks.batch import Batch
from suite.training.loaders import fixed, stream
from suite.training.train_state import Loss, TrainState, loss_of, train_state_for
from suite.worker.protocol import CellJob

EVALUATION_BATCH: Final = 32
"""Samples per forward pass when a metric is computed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSetup:
    """A training task for one model."""

    spec: ModelSpec
    size: str
    source: Source
    settings: Training
    steps: int
    seed: int
    device: str
    dtype: str
    num_workers: int

    @property
    def loss(self) -> Loss:
        """The loss, called as `loss(module, batch)`."""
        return loss_of(self.spec, self.settings)

    def test(self) -> list[Batch]:
        """The test samples for the metric, always the same."""
        return self._fixed(TEST_SPLIT, self.settings.test_samples)

    def validation(self) -> list[Batch]:
        """The validation samples, half as many as test samples."""
        return self._fixed(VALIDATION_SPLIT, max(1, self.settings.test_samples // 2))

    def batches(
        self, *, start: int = 0, batch: int = 0, seed: int | None = None
    ) -> Iterator[Batch]:
        """Yield training batches without end, from batch `start` on."""
        return stream(
            self.spec,
            self.size,
            self.source,
            batch=batch or self.settings.batch,
            seed=self.seed if seed is None else seed,
            start=start,
            num_workers=self.num_workers,
            pin_memory=is_accelerator(self.device),
        )

    def train_state(self, module: nn.Module, **more: Any) -> TrainState:
        """Return the train state of `module` for this setup; `more` goes to `train_state_for`."""
        return train_state_for(
            self.spec,
            module,
            self.settings,
            steps=self.steps,
            device=self.device,
            dtype=self.dtype,
            **more,
        )

    def _fixed(self, split: str, most: int) -> list[Batch]:
        # A graph that takes one picture at a time is evaluated one at a time.
        is_static = not any("batch" in axes.values() for axes in self.spec.export.dynamic.values())
        batch = 1 if is_static else min(EVALUATION_BATCH, self.settings.batch)
        return fixed(
            self.spec, self.size, self.source, split=split, batch=batch, most=most, seed=self.seed
        )


def training_setup_for(
    job: CellJob, spec: ModelSpec, source: Source, settings: Training, *, steps: int = 0
) -> TrainingSetup:
    """Return the setup of a job on `source` for `steps` steps (0 = as the settings say)."""
    return TrainingSetup(
        spec=spec,
        size=job.cell.size,
        source=source,
        settings=settings,
        steps=steps or settings.steps,
        seed=job.options.seed,
        device=job.cell.device,
        dtype=job.cell.dtype,
        num_workers=workers_for(job.cell.device),
    )


def workers_for(device: str) -> int:
    """Return the number of data loader workers: 0 when training on the CPU, a few to feed a GPU."""
    return min(4, max(1, (os.cpu_count() or 2) - 1)) if is_accelerator(device) else 0


def num_samples_of(batches: Sequence[Batch]) -> int:
    """Return the total number of samples."""
    return sum(batch.num_samples for batch in batches)
