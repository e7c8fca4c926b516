"""Worker side. Static facts of a cell, from one fresh process: memory, size, MACs and outputs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.instruments import memory
from bench.instruments.exchange import options_of, output_with, plan_of
from bench.instruments.module_sizes import sizes
from suite.backends.runnable import Runnable, runnable_for

if TYPE_CHECKING:
    from suite.worker.protocol import CellJob, Emit


def run(job: CellJob, emit: Emit) -> dict[str, Any]:
    """Measurements of the memory instrument, and where there is a module `parameters`, `parameter_bytes`, `macs`.

    Options: `plan`, `outputs`: file that takes the output tensors as float32 (.npz), for parity between two arms.
    """
    subject = runnable_for(job, emit)
    device = job.cell.device
    with subject.inference():
        found, absent = memory.measure(subject, plan_of(job), emit, device=device)
    emit("phase", name="outputs")
    if target := options_of(job).get("outputs"):
        save_outputs(subject, Path(target))
    emit("phase", name="size")
    return output_with({"absent": absent}, [*found, *_sizes(subject)])


def save_outputs(subject: Runnable, target: Path) -> None:
    """Write the outputs of one more pass, in order."""
    import numpy as np

    arrays = {f"{place:04d}": tensor.numpy() for place, tensor in enumerate(subject.outputs())}
    with target.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def _sizes(subject: Runnable) -> list[dict[str, Any]]:
    if subject.module is None:
        return []
    from suite.macs import count_macs

    counted = sizes(subject.module)
    values = {
        "parameters": ("1", counted.num_parameters),
        "parameter_bytes": ("B", counted.num_parameter_bytes + counted.num_buffer_bytes),
        "macs": ("MAC", count_macs(subject.module, subject.call)),
    }
    return [
        {"metric": name, "unit": unit, "samples": [float(value)]}
        for name, (unit, value) in values.items()
    ]
