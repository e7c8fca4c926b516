"""Worker side. Quality: what one way to run a model answers, judged by the task's metric or held against float32."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from bench.instruments.module_sizes import sizes
from bench.instruments.options import QualityOptions
from bench.instruments.results import QualityResult
from suite.axes import BACKENDS
from suite.backends.runnable import Runnable, runnable_for
from suite.data.splits import TEST_SPLIT
from suite.onnx_summary import files_of
from suite.origins.find import spec_of
from suite.results.quantize import Fidelity
from suite.results.step_output import StepOutput
from suite.spec import ModelSpec
from suite.stages.quantize.fidelity import draws_of, fidelity_of
from suite.states.store import source_of
from suite.tasks.batch import Batch
from suite.training.loaders import fixed
from suite.training.quality import quality
from suite.training.setup import num_samples_of
from suite.worker.errors import Unsupported
from suite.worker.protocol import CellJob, Emit


def run(job: CellJob, emit: Emit) -> StepOutput[QualityResult]:
    """Judge the job's cell as QualityOptions say, in batches of the cell's own size.

    Raises Unsupported if the backend runs one bound input only, so that nothing can be judged.
    """
    asked, spec = job.read(QualityOptions), spec_of(job)
    subject = runnable_for(job, emit)
    if subject.forward is None:
        raise Unsupported(
            f"{job.cell.backend} runs the input that it was opened with alone, so its quality cannot be judged"
        )
    emit("phase", name="quality")
    num_bytes = bytes_of(job, subject)
    with subject.inference():
        if asked.has_metric:
            return StepOutput(result=_by_metric(job, spec, subject, num_bytes))
        found = _by_fidelity(job, spec, subject, asked)
    return StepOutput(result=QualityResult(fidelity=found, num_bytes=num_bytes))


def _by_metric(
    job: CellJob, spec: ModelSpec, subject: Runnable, num_bytes: int | None
) -> QualityResult:
    """Return the metric on the test samples by which the stages of the life judge, too."""
    batches = fixed(
        spec,
        job.cell.size,
        source_of(job, spec),
        split=TEST_SPLIT,
        batch=job.cell.batch,
        most=spec.sizes[job.cell.size].training.test_samples,
        seed=job.options.seed,
    )
    return QualityResult(
        metric=quality(spec, lambda batch: _answer(subject, batch), batches),
        num_samples=num_samples_of(batches),
        num_bytes=num_bytes,
    )


def _by_fidelity(
    job: CellJob, spec: ModelSpec, subject: Runnable, asked: QualityOptions
) -> Fidelity:
    """Return the agreement with the answers in the file; the reference writes them and agrees with itself."""
    batches, file = draws_of(job, spec), Path(asked.reference)
    if asked.is_reference:
        torch.save([_answer(subject, batch) for batch in batches], file)
    known: Iterator[list[Tensor]] = iter(torch.load(file))
    return fidelity_of(lambda _: next(known), lambda batch: _answer(subject, batch), batches)


def _answer(subject: Runnable, batch: Batch) -> list[Tensor]:
    assert subject.forward is not None
    return subject.forward(batch.inputs)


def bytes_of(job: CellJob, subject: Runnable) -> int | None:
    """Return the bytes of the graph's files, of a package, or of the module's weights and buffers; None without any."""
    if BACKENDS[job.cell.backend].needs_graph:
        return sum(file.stat().st_size for file in files_of(Path(job.options.graph)))
    if subject.setup.package_bytes is not None:
        return subject.setup.package_bytes
    if subject.module is None:
        return None
    counted = sizes(subject.module)
    return counted.num_parameter_bytes + counted.num_buffer_bytes
