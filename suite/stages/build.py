"""Worker side. Stage `build`: builds the model and checks its size, its determinism, and saving and loading."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from suite.axes import BUILD
from suite.backends.eager import use_threads
from suite.built_model import batch_of
from suite.flat_tensors import flatten_outputs
from suite.measurement import Measurement
from suite.results.build import BuildResult
from suite.results.step_output import StepOutput
from suite.slips import must_take
from suite.spec import ModelSpec
from suite.weights import module_for
from suite.worker.protocol import CellJob, Emit


class BuildError(AssertionError):
    """A claim about the built model does not hold; the message has expected and actual."""


def run(job: CellJob, emit: Emit) -> StepOutput[BuildResult]:
    """Build the cell's model twice from one seed and check it against its record.

    Raises BuildError when the number of parameters is not the published one, an output is missing or not finite, the
    same seed gives another output, or a round trip through safetensors changes an output.
    """
    from suite.origins.find import spec_of

    use_threads(job)
    spec = spec_of(job)
    seed = job.options.seed
    emit("phase", name=BUILD)
    module = module_for(spec, job.cell.size, seed=seed)
    parameters = count_parameters(spec, job.cell.size, module)
    batch = batch_of(job, spec, emit)
    must_take(spec, module, batch.inputs)
    emit("phase", name="first_forward")
    first = forward(module, batch.inputs)
    check_outputs(spec, first)
    emit("phase", name="again")
    twin = module_for(spec, job.cell.size, seed=seed)
    check_equal(first, forward(twin, batch.inputs), "a second model from the same seed")
    emit("phase", name="save")
    restored = through_safetensors(module, module_for(spec, job.cell.size, seed=seed + 1))
    check_equal(first, forward(restored, batch.inputs), "the model after a safetensors round trip")
    return StepOutput(
        measurements=(Measurement(metric="parameters", unit="1", samples=(parameters,)),),
        result=BuildResult(
            outputs={n: tuple(t.shape) for n, t in zip(spec.outputs, first, strict=True)},
            published=spec.parameters if job.cell.size == "base" else None,
        ),
        data=batch.data,
    )


def count_parameters(spec: ModelSpec, size: str, module: Any) -> int:
    """Return the number of parameters, shared ones once; raises BuildError when it is not the published one."""
    count = int(sum(p.numel() for p in module.parameters()))
    if size == "base" and spec.parameters is not None and count != spec.parameters:
        raise BuildError(
            f"{spec.name} has {count:,} parameters as built, {spec.parameters:,} as published"
            f" ({spec.source}); the builder or the record is wrong"
        )
    return count


def forward(module: Any, inputs: Any) -> list[Tensor]:
    """Return the output tensors of one forward pass without gradients, from a fixed seed (for models that sample)."""
    torch.manual_seed(0)
    with torch.inference_mode():
        return [t.clone() for t in flatten_outputs(module(**inputs))]


def check_outputs(spec: ModelSpec, outputs: list[Tensor]) -> None:
    """Raise BuildError unless there is one finite tensor per name on the record."""
    if len(outputs) != len(spec.outputs):
        raise BuildError(
            f"{spec.name} gives {len(outputs)} tensors of shapes {[list(t.shape) for t in outputs]};"
            f" its record names {len(spec.outputs)}: {', '.join(spec.outputs)}"
        )
    for name, tensor in zip(spec.outputs, outputs, strict=True):
        if not torch.isfinite(tensor).all():
            raise BuildError(f"{spec.name}: output {name} is not finite with random weights")


def check_equal(first: list[Tensor], second: list[Tensor], what: str) -> None:
    """Raise BuildError unless the outputs are bit-identical."""
    for number, (a, b) in enumerate(zip(first, second, strict=True)):
        if not torch.equal(a, b):
            raise BuildError(f"{what} gives another output {number}: expected bit for bit the same")


def through_safetensors(source: Any, target: Any) -> Any:
    """Load the weights of `source`, saved to safetensors, into `target`, built from another seed; return `target`."""
    from safetensors.torch import load_model, save_model

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "weights.safetensors")
        save_model(source, str(path))
        load_model(target, path)
    return target.eval()
