"""Worker side. Size: parameters, bytes and MACs of a model."""

from __future__ import annotations

import torch

from bench.instruments.module_sizes import size_measurements, sizes
from suite.axes import CPU
from suite.built_model import Subject, subject_for
from suite.flat_tensors import cast
from suite.macs import count_macs
from suite.results.measuring import SizeResult
from suite.results.step_output import StepOutput
from suite.worker.protocol import CellJob, Emit


def run(job: CellJob, emit: Emit) -> StepOutput[SizeResult]:
    """Measurements `parameters` (a count), `parameter_bytes` (bytes, in the cell's dtype) and
    `macs` of one batch.

    The model is always measured on the CPU: its size does not depend on device and backend.
    """
    return measure(job, subject_for(job, emit), emit)


def measure(job: CellJob, subject: Subject, emit: Emit) -> StepOutput[SizeResult]:
    """Return the sizes of a module that is in float32 on the CPU; it is cast to the cell's dtype."""
    emit("phase", name="macs")
    module, inputs = subject.module, subject.batch.inputs
    macs = count_macs(module, lambda: module(**inputs))
    module = cast(module, CPU, getattr(torch, job.cell.dtype))
    counted = sizes(module)
    return StepOutput(
        measurements=size_measurements(counted, macs),
        result=SizeResult(
            num_parameters=counted.num_parameters,
            num_trainable=counted.num_trainable,
            num_parameter_bytes=counted.num_parameter_bytes,
            num_buffers=counted.num_buffers,
            num_buffer_bytes=counted.num_buffer_bytes,
            published_parameters=subject.spec.parameters,
            num_samples=subject.batch.num_samples,
            num_tokens=subject.batch.num_tokens,
        ),
        data=subject.batch.data,
    )
