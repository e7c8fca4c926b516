"""Worker side. Runs one case of `suite.foundations.cases` on the cell's device, in its dtype."""

from __future__ import annotations

from importlib import import_module

import torch

from suite.axes import is_accelerator
from suite.backends.eager import device_facts, require_device, use_threads
from suite.foundations.cases import case_of
from suite.results.foundations import FoundationResult
from suite.results.step_output import StepOutput
from suite.worker.errors import Unsupported
from suite.worker.protocol import CellJob, Emit


def run(job: CellJob, emit: Emit) -> StepOutput[FoundationResult]:
    """Run the case that the job names.

    Raises FoundationError (suite/foundations/answers.py) when a result differs from the known answer, Unavailable when
    the device is missing, Unsupported if the case declares a gap, ValueError for an unknown case.
    """
    device, dtype = job.cell.device, getattr(torch, job.cell.dtype)
    case = case_of(job.options.case)
    gap = case.gap_for(device=device, dtype=job.cell.dtype)
    if gap is not None and gap.kind == "unsupported":
        raise Unsupported(f"{case.name} in {job.cell.dtype} on {device}: {gap.reason} ({gap.url})")
    use_threads(job)
    require_device(device)
    if is_accelerator(device):
        emit("phase", name="device")
        torch.zeros(1, device=device)
        torch.cuda.synchronize(device)
    emit("phase", name="import")
    module, _, function = case.runner.partition(":")
    ask = getattr(import_module(module), function)
    emit("phase", name="answers")
    evidence = ask(device, dtype)
    if not evidence:
        raise AssertionError(f"{case.name}: the case gave no evidence; expected at least one fact")
    return StepOutput(
        result=FoundationResult(
            evidence=evidence,
            meaning=case.meaning,
            threads=torch.get_num_threads(),
            **device_facts(device),
        )
    )
