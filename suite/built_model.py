"""Worker side. Subject: a job's model, built, with a batch of real samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from suite.axes import BUILD, TASKS
from suite.data.sources import Source, source_for
from suite.origins.find import spec_of
from suite.slips import must_take
from suite.spec import ModelSpec
from suite.states.store import module_of
from suite.tasks.batch import Batch
from suite.tasks.task_of import batch_for
from suite.worker.protocol import CellJob, Emit


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Starting point of a stage or a backend."""

    spec: ModelSpec
    batch: Batch
    module: Any
    """In eval mode, float32, on the CPU."""


def batch_of(job: CellJob, spec: ModelSpec, emit: Emit) -> Batch:
    """Return the batch of real samples for the job's cell; phase `input`."""
    emit("phase", name="input")
    return batch_for(
        spec,
        job.cell.size,
        source_of(job, spec),
        num_samples=job.cell.batch,
        seed=job.options.seed,
        overrides=job.cell.overrides,
    )


def source_of(job: CellJob, spec: ModelSpec) -> Source:
    """Return the source of this model's samples, as chosen by the parent."""
    return source_for(job.options.sources, TASKS[spec.task].input)


def subject_for(job: CellJob, emit: Emit) -> Subject:
    """Build the job's model and batch; phases `build` and `input`."""
    spec = spec_of(job)
    emit("phase", name=BUILD)
    module = module_of(job, spec, job.cell.variant)
    batch = batch_of(job, spec, emit)
    must_take(spec, module, batch.inputs)
    return Subject(spec=spec, batch=batch, module=module)
