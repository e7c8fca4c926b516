"""Worker side. Examples: a data set preprocessed for a model, sample by sample, for a DataLoader or a single batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from suite.data.errors import DataError
from suite.data.samples import Dataset
from suite.data.sources import Source
from suite.results.step_result import DataSet
from suite.tasks.batch import Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One sample in the form the model and its loss take; tensors without the batch dimension."""

    inputs: Mapping[str, Tensor]
    targets: Mapping[str, Tensor]
    num_tokens: int | None = None
    """Non-padding tokens through the model."""


Make = Callable[[Dataset[Any], int, np.random.Generator], Example]
"""Data set, index and the sample's random generator -> example."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """A map-style data set for torch's DataLoader: `DataLoader(examples, collate_fn=collate)`.

    The same seed, epoch and index give the same example in any order and in any worker process.
    """

    data: Dataset[Any]
    make: Make
    seed: int
    indices: Sequence[int]
    """Indices of the samples in `data` that this task can use."""
    epoch: int = 0
    """Seeds a sample's randomness (masking, noise). Testing stays at 0, for a fixed set."""

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Example:
        row = self.indices[index]
        return self.make(self.data, row, np.random.default_rng((self.seed, self.epoch, row)))

    def at_epoch(self, epoch: int) -> Self:
        """Return the same samples with the augmentation of another epoch."""
        return replace(self, epoch=epoch)


def collate(examples: Sequence[Example]) -> Batch:
    """Return one batch: every tensor stacked along a new first dimension."""
    counts = [example.num_tokens for example in examples if example.num_tokens is not None]
    return Batch(
        inputs=_stacked([example.inputs for example in examples]),
        targets=_stacked([example.targets for example in examples]),
        num_samples=len(examples),
        num_tokens=sum(counts) if len(counts) == len(examples) else None,
    )


def sampled(examples: Examples, *, num_samples: int, data: DataSet) -> Batch:
    """Return a batch of a seeded draw without replacement (with it if there are fewer examples than `num_samples`)."""
    rng = np.random.default_rng((examples.seed, len(examples)))
    order = rng.permutation(len(examples))
    chosen = [examples[int(order[i % len(order)])] for i in range(num_samples)]
    return replace(collate(chosen), data=data)


def must_hold(data: Dataset[Any], source: Source, split: str, wanted: str) -> None:
    """Raise DataError if the split is empty."""
    if not len(data):
        raise DataError(
            f"{source.root or source.name}: its {split} split is empty; expected {wanted}"
        )


def _stacked(rows: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}
