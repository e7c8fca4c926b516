"""Worker side. Quality: a model's metric and loss on fixed batches, for any backend."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from suite.axes import CPU, is_accelerator
from suite.flat_tensors import flatten_outputs
from suite.spec import ModelSpec
from suite.tasks.batch import Batch
from suite.tasks.open_task import OpenTask
from suite.tasks.task_of import judged_outputs, task_of
from suite.training.loaders import moved

Forward = Callable[[Batch], list[Tensor]]
"""Returns the output tensors for a batch, on the CPU, in the order of the record's `outputs`."""


def quality(spec: ModelSpec, forward: Forward, batches: Iterable[Batch]) -> float:
    """Return the task's metric, in its unit, for `forward`: of a module, a compiled module or an ONNX session."""
    task = task_of(spec)
    is_open = isinstance(task, OpenTask)
    parts = []
    for batch in batches:
        outputs = forward(batch)
        judged = outputs if is_open else judged_outputs(spec, outputs)
        parts.append(task.judge(judged, batch, spec.outputs))
    if not parts:
        raise ValueError(f"{spec.name}: no test samples to judge on; expected at least one batch")
    return float(task.summarize(parts))


def trivial_quality(spec: ModelSpec, batches: Sequence[Batch]) -> float:
    """Return the metric of the task's trivial baseline on the same batches."""
    return float(task_of(spec).trivial(batches))


def module_forward(module: nn.Module, device: str = CPU) -> Forward:
    """Return a forward pass of the module in eval mode without gradients; random numbers from a fixed seed."""

    def forward(batch: Batch) -> list[Tensor]:
        module.eval()
        with torch.random.fork_rng(devices=[device] if is_accelerator(device) else []):
            torch.manual_seed(0)
            with torch.inference_mode():
                outputs = flatten_outputs(module(**moved(batch, device).inputs))
        return [t.float().cpu() if t.is_floating_point() else t.cpu() for t in outputs]

    return forward


def session_forward(session: Any) -> Forward:
    """Return a forward pass of an ONNX Runtime session."""
    from suite.backends.onnxruntime import feeds_for

    def forward(batch: Batch) -> list[Tensor]:
        found = session.run(None, feeds_for(session, batch.inputs))
        return [torch.from_numpy(array) for array in found]

    return forward


def mean_loss(
    module: nn.Module,
    loss: Callable[[nn.Module, Batch], Tensor],
    batches: Iterable[Batch],
    device: str = CPU,
) -> float:
    """Return the mean loss over the samples, in eval mode without gradients; random numbers from a fixed seed."""
    total = count = 0.0
    was_training = module.training
    module.eval()
    with torch.random.fork_rng(devices=[device] if is_accelerator(device) else []):
        torch.manual_seed(0)
        with torch.no_grad():
            for batch in batches:
                total += float(loss(module, moved(batch, device))) * batch.num_samples
                count += batch.num_samples
    module.train(was_training)
    return total / count
