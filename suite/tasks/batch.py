"""Worker side. Batch: the inputs and targets of a model, under its own argument names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

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


def renamed(spec: ModelSpec, batch: Batch) -> Batch:
    """Return the batch with its inputs under the argument names of the model's `forward`.

    Raise ValueError for an input that the task does not provide.
    """
    unknown = sorted(name for name in set(spec.arguments) - set(batch.inputs) if not name.isdigit())
    if unknown:
        raise ValueError(
            f"model {spec.name!r}: `arguments` renames {unknown}, but the task {spec.task} gives"
            f" {sorted(batch.inputs)}"
        )
    named = {spec.arguments.get(name, name): value for name, value in batch.inputs.items()}
    return replace(batch, inputs=named)
