"""Worker side. A module as a `.pt2` program of torch.export, run by eager PyTorch or compiled by Inductor."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch

from suite.axes import COMPILED, is_accelerator
from suite.backends.aotinductor import FOLDER as PACKAGES
from suite.backends.runnable import Runnable
from suite.bundles.package import Package
from suite.flat_tensors import move
from suite.spec import ModelSpec
from suite.tracing.program import program_of
from suite.worker.protocol import CellJob

FILE: Final = "model.pt2"
COMPILING: Final = (
    "# Inductor's own key leaves the CPU's instructions out, and a cache may be that of another machine.",
    "torch.compiler.config.cache_key_tag = torch.backends.cpu.get_cpu_capability()",
    "program = torch.compile(program)",
)
"""Lines of a bundle's script that compile its program; see `suite.backends.inductor`."""


def write(
    job: CellJob, spec: ModelSpec, subject: Runnable, inputs: Mapping[str, Any], folder: Path
) -> Package:
    """Save the module to `folder`; it takes the flat inputs in their order. Raises torch.export's errors."""
    device, dtype = job.cell.device, job.cell.dtype
    traced = move(inputs, device, getattr(torch, dtype))
    torch.export.save(program_of(spec, subject.module, traced), folder / FILE)
    return _package(
        job,
        f'program = torch.export.load(here / "{FILE}").module()',
        *(COMPILING if job.cell.backend == COMPILED else ()),
    )


def write_compiled(
    job: CellJob, spec: ModelSpec, subject: Runnable, inputs: Mapping[str, Any], folder: Path
) -> Package:
    """Copy the package that AOTInductor has made in the run's folder; it runs on CPUs with the same instructions."""
    name = f"{job.cell.file_stem}-{torch.get_num_threads()}.pt2"
    shutil.copyfile(Path(job.options.run_dir) / PACKAGES / name, folder / FILE)
    return _package(job, f'program = torch._inductor.aoti_load_package(str(here / "{FILE}"))')


def _package(job: CellJob, *load: str) -> Package:
    """Return the lines that run the program which `load` loads, on the tensors of the inputs in their order."""
    device, dtype = job.cell.device, job.cell.dtype
    place = f'"{device}", ' if is_accelerator(device) else ""
    moved = f'.to("{device}")' if place else ""
    wait = ["    torch.cuda.synchronize()"] if is_accelerator(device) else []
    own = (
        f"tensors = [t.to({place}torch.{dtype}) if t.is_floating_point() else t{moved} for t in tensors]",
    )
    is_plain = not place and dtype == "float32"
    return Package(
        imports=("import torch",),
        lines=(
            f"torch.set_num_threads({torch.get_num_threads()})",
            *load,
            "tensors = [torch.from_numpy(array) for array in inputs.values()]",
            *(() if is_plain else own),
            "def call():",
            "    with torch.inference_mode():",
            "        answer = program(*tensors)",
            *wait,
            "    return answer",
            "def arrays(answer):",
            "    return [(t.float() if t.is_floating_point() else t).cpu().numpy() for t in answer]",
        ),
        libraries=("torch", "numpy"),
    )
