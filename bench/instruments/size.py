"""Worker side. Size: parameters, bytes and MACs of a model."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Final

import torch

from bench.instruments.module_sizes import ModuleSizes, size_measurements, sizes
from bench.onnx_graph.read import read
from suite.axes import CPU
from suite.built_model import Subject, batch_of, subject_for
from suite.flat_tensors import cast
from suite.macs import count_macs
from suite.origins.find import spec_of
from suite.results.measuring import SizeResult
from suite.results.step_output import StepOutput
from suite.stages.export.own_graph import graph_file
from suite.tasks.batch import Batch
from suite.worker.protocol import CellJob, Emit


def run(job: CellJob, emit: Emit) -> StepOutput[SizeResult]:
    """Measurements `parameters` (a count), `parameter_bytes` (bytes, in the cell's dtype) and
    `macs` of one batch.

    The model is always measured on the CPU: its size does not depend on device and backend. A graph file has no module:
    its own weights and products are counted.
    """
    spec = spec_of(job)
    if (file := graph_file(job.options, spec.name, job.cell.variant)) is not None:
        return of_graph(file, batch_of(job, spec, emit), emit)
    return measure(job, subject_for(job, emit), emit)


NO_WEIGHTS: Final = ("bool", "int64", "string")
"""Types of stored tensors that are shapes, indices and texts rather than weights."""


def of_graph(file: Path, batch: Batch, emit: Emit) -> StepOutput[SizeResult]:
    """Return the sizes of an ONNX file; MACs at the extents of the batch, none if a product could not be counted."""
    emit("phase", name="macs")
    extents = {
        f"{value.name}:{axis}": int(batch.inputs[value.name].shape[axis])
        for value in read(file).inputs
        for axis, extent in enumerate(value.shape or ())
        if not isinstance(extent, int)
    }
    graph = read(file, sizes=extents)
    weights = [tensor for tensor in graph.tensors if tensor.dtype not in NO_WEIGHTS]
    counted = ModuleSizes(
        num_parameters=sum(prod(tensor.shape) for tensor in weights),
        num_trainable=0,
        num_parameter_bytes=sum(tensor.num_bytes for tensor in weights),
        num_buffers=0,
        num_buffer_bytes=0,
    )
    if graph.num_uncounted:
        print(f"MACs are not told: {'; '.join(graph.uncounted)}")
    return StepOutput(
        measurements=size_measurements(counted, None if graph.num_uncounted else graph.macs),
        result=SizeResult(
            num_parameters=counted.num_parameters,
            num_parameter_bytes=counted.num_parameter_bytes,
            num_samples=batch.num_samples,
            num_tokens=batch.num_tokens,
        ),
        data=batch.data,
    )


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
