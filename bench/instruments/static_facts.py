"""Worker side. Static facts of a cell, from one fresh process: memory, size, MACs, bytes of the cache, and outputs."""

from __future__ import annotations

from pathlib import Path

from bench.instruments import memory
from bench.instruments.module_sizes import size_measurements, sizes
from bench.instruments.options import StaticFactsOptions
from bench.instruments.results import StaticFactsResult
from bench.plan import plan_of
from suite.backends.runnable import Runnable, runnable_for
from suite.generation.decoder import num_bytes
from suite.generation.find import decoder_of
from suite.macs import count_macs
from suite.measurement import Measurement
from suite.origins.find import spec_of
from suite.results.step_output import StepOutput
from suite.spec import ModelSpec
from suite.worker.errors import Unsupported
from suite.worker.protocol import CellJob, Emit


def run(job: CellJob, emit: Emit) -> StepOutput[StaticFactsResult]:
    """Take the measurements of the memory instrument and, if there is a module, those of its size and of the cache
    that it generates text with.

    Options: `plan`, and StaticFactsOptions.
    """
    subject = runnable_for(job, emit)
    with subject.inference():
        found, absent = memory.measure(subject, plan_of(job.options), emit, device=job.cell.device)
    emit("phase", name="outputs")
    if target := job.read(StaticFactsOptions).outputs:
        save_outputs(subject, Path(target))
    emit("phase", name="size")
    cache = cache_measurements(subject, spec_of(job))
    return StepOutput(
        result=StaticFactsResult(absent=absent), measurements=(*found, *_sizes(subject), *cache)
    )


def cache_measurements(subject: Runnable, spec: ModelSpec) -> tuple[Measurement, ...]:
    """Return the bytes of the cache per token; nothing for a model that writes no text or keeps no cache."""
    if subject.module is None or not spec.generates:
        return ()
    tokens = next(iter(subject.inputs.values()))[:1, :8]
    try:
        with subject.inference():
            _, state = decoder_of(subject.module, spec.name).read(tokens, None)
    except Unsupported:
        return ()
    each = num_bytes(state) / state.num_cached
    return (Measurement(metric="kv_bytes_per_token", unit="B", samples=(each,)),)


def save_outputs(subject: Runnable, target: Path) -> None:
    """Write the outputs of one more pass, in order."""
    import numpy as np

    arrays = {f"{place:04d}": tensor.numpy() for place, tensor in enumerate(subject.outputs())}
    with target.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def _sizes(subject: Runnable) -> tuple[Measurement, ...]:
    if subject.module is None:
        return ()
    macs = count_macs(subject.module, subject.call)
    return size_measurements(sizes(subject.module), macs)
