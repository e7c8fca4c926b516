"""Worker side. Static facts of a cell, from one fresh process: memory, size, MACs and outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.instruments import memory
from bench.plan import PLANS, Plan
from suite.backends.runnable import Runnable, runnable_for
from suite.worker.protocol import Emit, Job


def run(job: Job, emit: Emit) -> dict[str, Any]:
    """Measurements of the memory instrument, and where there is a module `parameters`, `parameter_bytes`, `macs`.

    Options: `plan`, `outputs`: file that takes the output tensors as float32 (.npz), for parity between two arms.
    """
    plan = Plan.from_dict(job.options["plan"]) if "plan" in job.options else PLANS["standard"]
    subject = runnable_for(job, emit)
    device = job.cell.device if job.cell else "cpu"
    with subject.inference():
        found, absent = memory.measure(subject, plan, emit, device=device)
    emit("phase", name="outputs")
    if target := job.options.get("outputs"):
        save_outputs(subject, Path(target))
    emit("phase", name="size")
    return {
        "measurements": [*found, *_sizes(subject)],
        "facts": {**subject.facts, "absent": absent},
    }


def save_outputs(subject: Runnable, target: Path) -> None:
    """Write the outputs of one more pass, in order."""
    import numpy as np

    arrays = {f"{place:04d}": tensor.numpy() for place, tensor in enumerate(subject.outputs())}
    with target.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def _sizes(subject: Runnable) -> list[dict[str, Any]]:
    if subject.module is None:
        return []
    from bench.instruments.size import sizes
    from suite.macs import count_macs

    facts = sizes(subject.module)
    values = {
        "parameters": ("1", facts["num_parameters"]),
        "parameter_bytes": ("B", facts["num_parameter_bytes"] + facts["num_buffer_bytes"]),
        "macs": ("MAC", count_macs(subject.module, subject.call)),
    }
    return [
        {"metric": name, "unit": unit, "samples": [float(value)]}
        for name, (unit, value) in values.items()
    ]
