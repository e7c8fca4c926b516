"""Worker side. The files of a bundle: the model, its inputs, and its answers as they were measured."""

from __future__ import annotations

from importlib import import_module, metadata
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.instruments.options import BundleOptions
from bench.instruments.results import BundleResult
from suite.axes import BACKENDS
from suite.backends.runnable import runnable_for
from suite.built_model import batch_of
from suite.flat_tensors import flatten_inputs
from suite.origins.find import spec_of
from suite.results.step_output import StepOutput
from suite.worker.errors import Unsupported
from suite.worker.protocol import CellJob, Emit

INPUTS: Final = "inputs.npz"
OUTPUTS: Final = "outputs.npz"


def run(job: CellJob, emit: Emit) -> StepOutput[BundleResult]:
    """Write the job's cell to the folder of BundleOptions. Raises Unsupported if its backend has no package."""
    folder, spec = Path(job.read(BundleOptions).folder), spec_of(job)
    module, _, function = BACKENDS[job.cell.backend].package.partition(":")
    if not module:
        raise Unsupported(f"{job.cell.backend} says nowhere how a model runs without this project")
    subject = runnable_for(job, emit)
    if subject.forward is None:
        raise Unsupported(f"{job.cell.backend} gives no answers to compare with")
    emit("phase", name="bundle")
    inputs = batch_of(job, spec, emit).inputs
    with subject.inference():
        answers = subject.forward(inputs)
    given: dict[str, Any] = {name: t.numpy() for name, t in flatten_inputs(inputs).items()}
    answered: dict[str, Any] = {f"output_{i}": t.numpy() for i, t in enumerate(answers)}
    np.savez(folder / INPUTS, **given)
    np.savez(folder / OUTPUTS, **answered)
    package = getattr(import_module(module), function)(job, spec, subject, inputs, folder)
    return StepOutput(
        result=BundleResult(
            imports=package.imports,
            lines=package.lines,
            versions={name: metadata.version(name) for name in package.libraries},
        )
    )
