"""Worker side. The entry point to every task: its functions, of a module in this folder or of the record itself."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol

from torch import Tensor, nn

from suite.axes import TASKS
from suite.data.sources import Source
from suite.data.splits import TEST_SPLIT
from suite.flat_tensors import flatten_outputs
from suite.slips import must_have_settings
from suite.spec import ModelSpec
from suite.tasks.batch import Batch, renamed
from suite.tasks.open_task import OpenParts, OpenTask


class Loss(Protocol):
    """A loss of a module on a batch."""

    def __call__(self, module: nn.Module, batch: Batch, /) -> Tensor:
        """Return the scalar loss."""
        ...


def task_of(spec: ModelSpec) -> Any:
    """Return an object with the task's functions: batch, examples, loss, judge, summarize, trivial (suite/tasks)."""
    module = import_module(TASKS[spec.task].module)
    parts: OpenParts | None = getattr(module, "PARTS", None)
    if parts is None and hasattr(module, "OpenTask"):
        parts = OpenParts(inputs=spec.inputs, batch=spec.batch, loss=spec.loss, metric=spec.metric)
    return module if parts is None else OpenTask(spec=spec, parts=parts)


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
    must_have_settings(spec, size)
    task = task_of(spec)
    inputs = {**spec.sizes[size].inputs, **(overrides or {})}
    batch: Batch = task.batch(inputs, source, num_samples=num_samples, seed=seed, split=split)
    return renamed(spec, batch)


def loss_of_task(spec: ModelSpec) -> Loss:
    """Return the task's loss; if the record names an `answer`, of that output alone."""
    task = task_of(spec)
    loss: Loss = task.loss
    if not spec.answer or isinstance(task, OpenTask):
        return loss
    return lambda module, batch: loss(_Answering(module, spec), batch)


class _Answering(nn.Module):
    """A module that returns one named output of another. It holds no weights of its own: only a loss calls it."""

    def __init__(self, module: nn.Module, spec: ModelSpec) -> None:
        super().__init__()
        self.__dict__["inner"] = (
            module  # not registered, so that nothing of it is moved or saved twice
        )
        self.__dict__["spec"] = spec

    def forward(self, **inputs: Any) -> Tensor:
        """Return the output that the record's `answer` names."""
        spec: ModelSpec = self.__dict__["spec"]
        result = self.__dict__["inner"](**inputs)
        return judged_outputs(spec, flatten_outputs(result, spec.outputs))[0]


def judged_outputs(spec: ModelSpec, outputs: list[Tensor]) -> list[Tensor]:
    """Return the outputs that the metric judges: all, or the one that `answer` names. Raise ValueError without it."""
    if not spec.answer:
        return outputs
    place = spec.outputs.index(spec.answer)
    if place >= len(outputs):
        raise ValueError(
            f"model {spec.name!r}: `answer` is {spec.answer!r}, output {place} of its record, and the model returns"
            f" {len(outputs)} tensors; next: python -m suite check FILE"
        )
    return [outputs[place]]
