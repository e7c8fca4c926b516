"""Worker side. Backend `aotinductor`: the module compiled ahead of time into a `.pt2` package, loaded and called.

What is shipped is the package: it is loaded without torch.compile, and the process that runs it compiles nothing. It is
made once per run and threads, in the run's folder, by the first worker that needs it; the others load it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import torch
from torch import Tensor

from suite.axes import CPU, is_accelerator
from suite.backends.eager import device_facts, emulation_of, require_device, use_threads
from suite.backends.inductor import packaged
from suite.backends.runnable import Runnable
from suite.built_model import Subject, subject_for
from suite.flat_tensors import cast, flatten_inputs, move
from suite.results.measuring import RunResult
from suite.timing import waiter
from suite.tracing.program import program_of
from suite.worker.errors import Unavailable
from suite.worker.protocol import CellJob, Emit

FOLDER: Final = "packages"
"""Folder of the packages in a run's folder."""


def load(job: CellJob, emit: Emit) -> Runnable:
    """Return a Runnable of the cell's package; phases `build`, `input`, `compile` if it is made here, and `session`.

    Raises Unavailable without a C++ compiler, and torch.export's errors unchanged.
    """
    device, dtype = job.cell.device, getattr(torch, job.cell.dtype)
    use_threads(job)
    require_device(device)
    require_compiler()
    subject = subject_for(job, emit)
    inputs = subject.batch.inputs
    if is_accelerator(device) or dtype is not torch.float32:
        emit("phase", name="to_device")
        inputs = move(inputs, device, dtype)
    with TemporaryDirectory(prefix="vitals-") as scratch:
        path = package_of(job, subject, inputs, Path(job.options.run_dir or scratch), emit)
        num_bytes = path.stat().st_size
        emit("phase", name="session")
        loaded: Any = torch._inductor.aoti_load_package(str(path))
    flat = tuple(flatten_inputs(inputs).values())

    def outputs() -> list[Tensor]:
        return [tensor.to(CPU, torch.float32) for tensor in loaded(*flat)]

    def forward(other: Mapping[str, Any]) -> list[Tensor]:
        found = loaded(*flatten_inputs(move(other, device, dtype)).values())
        return [t.to(CPU, torch.float32) if t.is_floating_point() else t.cpu() for t in found]

    return Runnable(
        call=partial(loaded, *flat),
        inference=torch.inference_mode,
        outputs=outputs,
        forward=forward,
        synchronize=waiter(device),
        inputs=inputs,
        setup=RunResult(
            threads=torch.get_num_threads(),
            weights=job.options.weights,
            package_bytes=num_bytes,
            num_samples=subject.batch.num_samples,
            num_tokens=subject.batch.num_tokens,
            emulated="" if is_accelerator(device) else emulation_of(job.cell.dtype),
            **device_facts(device),
        ),
        data=subject.batch.data,
    )


def package_of(job: CellJob, subject: Subject, inputs: Any, folder: Path, emit: Emit) -> Path:
    """Return the path of the cell's package below `folder`; it is made if it is not there."""
    # The number of threads is written into the code.
    name = f"{job.cell.file_stem}-{torch.get_num_threads()}.pt2"
    path = folder / FOLDER / name
    if path.is_file():
        return path
    emit("phase", name="compile")
    path.parent.mkdir(parents=True, exist_ok=True)
    module = cast(subject.module, job.cell.device, getattr(torch, job.cell.dtype))
    program = program_of(subject.spec, module, inputs)
    made = path.with_name(f"{os.getpid()}-{name}")
    packaged(program, made)
    made.replace(path)
    return path


def require_compiler() -> None:
    """Raise Unavailable if Inductor has no C++ compiler to call."""
    compiler = os.environ.get("CXX") or "g++"
    if shutil.which(compiler) is None:
        raise Unavailable(
            f"AOTInductor compiles C++, and there is no {compiler}; next: apt-get install g++"
        )
