"""Worker side. Batch: the inputs and targets of a model, and the entry point to every task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

from suite.axes import TASKS
from suite.data.sources import Source
from suite.data.splits import TEST_SPLIT
from suite.results.step_result import DataSet
from suite.spec import ModelSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One batch on the CPU; floating-point tensors are float32."""

    inputs: Mapping[str, Any]
    """Keyword arguments of `module.forward`: tensors, or lists of tensors (detection); batch first."""
    targets: Any = None
    """Targets for the task's loss and metric; their form depends on the task."""
    num_samples: int
    num_tokens: int | None = None
    """Non-padding tokens through the model, for models whose throughput counts tokens."""
    data: DataSet | None = None
    """Origin of the samples."""


def batch_for(
    spec: ModelSpec,
    size: str,
    source: Source,
    *,
    num_samples: int,
    seed: int = 0,
    split: str = TEST_SPLIT,
    overrides: Mapping[str, Any] | None = None,
) -> Batch:
    """Return a batch of real samples for this model from its task's module.

    `split` is "train" (augmented) or "test" (not); the same seed gives the same batch. `overrides` replaces entries of
    the size's `inputs`, e.g. {"length": 48} for the export's second shape. A task module provides `batch(inputs,
    source, *, num_samples, seed, split) -> Batch`, where `inputs` is `spec.sizes[size].inputs`.
    """
    task = import_module(TASKS[spec.task].module)
    inputs = {**spec.sizes[size].inputs, **(overrides or {})}
    batch: Batch = task.batch(inputs, source, num_samples=num_samples, seed=seed, split=split)
    return renamed(spec, batch)


def renamed(spec: ModelSpec, batch: Batch) -> Batch:
    """Return the batch with its inputs under the argument names of the model's `forward`.

    Raise ValueError for an input that the task does not provide.
    """
    unknown = sorted(set(spec.arguments) - set(batch.inputs))
    if unknown:
        raise ValueError(
            f"model {spec.name!r}: `arguments` renames {unknown}, but the task {spec.task} gives"
            f" {sorted(batch.inputs)}"
        )
    named = {spec.arguments.get(name, name): value for name, value in batch.inputs.items()}
    return replace(batch, inputs=named)
