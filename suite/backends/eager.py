"""Worker side. Backend `eager`: the plain PyTorch module, without gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import torch
from torch import Tensor

from suite.axes import CPU, is_accelerator
from suite.backends.runnable import Runnable
from suite.built_model import subject_for
from suite.flat_tensors import cast, flatten_outputs, move
from suite.results.measuring import RunResult
from suite.timing import waiter
from suite.worker.errors import Unavailable
from suite.worker.protocol import CellJob, Emit


def load(
    job: CellJob, emit: Emit, *, transform: Callable[[Any], Callable[..., Any]] | None = None
) -> Runnable:
    """Return the cell's module on its device in its dtype; `transform` makes the callable from it.

    Raises Unavailable if the device is CUDA and this PyTorch cannot use it.
    """
    device, dtype = job.cell.device, getattr(torch, job.cell.dtype)
    use_threads(job)
    require_device(device)
    subject = subject_for(job, emit)
    module, inputs = subject.module, subject.batch.inputs
    if is_accelerator(device) or dtype is not torch.float32:
        emit("phase", name="to_device")
        module = cast(module, device, dtype)
        inputs = move(inputs, device, dtype)
    synchronize = waiter(device)
    synchronize()
    function: Callable[..., Any] = transform(module) if transform else module

    def outputs() -> list[Tensor]:
        with torch.inference_mode():
            tensors = flatten_outputs(function(**inputs))
        return [t.to(CPU, torch.float32) for t in tensors]

    def forward(other: Mapping[str, Any]) -> list[Tensor]:
        with torch.random.fork_rng(devices=[device] if is_accelerator(device) else []):
            torch.manual_seed(0)
            with torch.inference_mode():
                found = flatten_outputs(
                    function(**move(other, device, dtype)), subject.spec.outputs
                )
        return [t.to(CPU, torch.float32) if t.is_floating_point() else t.cpu() for t in found]

    return Runnable(
        call=partial(function, **inputs),
        inference=torch.inference_mode,
        outputs=outputs,
        forward=forward,
        synchronize=synchronize,
        module=module,
        inputs=inputs,
        setup=RunResult(
            threads=torch.get_num_threads(),
            weights=job.options.weights,
            num_samples=subject.batch.num_samples,
            num_tokens=subject.batch.num_tokens,
            emulated="" if is_accelerator(device) else emulation_of(job.cell.dtype),
            **device_facts(device),
        ),
        data=subject.batch.data,
    )


INSTRUCTIONS: Final = {
    "bfloat16": {"amx_bf16": "AMX", "avx512_bf16": "AVX512-BF16"},
    "float16": {"amx_fp16": "AMX-FP16", "avx512_fp16": "AVX512-FP16"},
}
"""Dtype -> name in torch.cpu.get_capabilities() of what multiplies it on x86 -> what the vendors call it."""


def emulation_of(dtype: str) -> str:
    """Return what this CPU lacks for products in the dtype, so that they are computed through float32; empty if it
    lacks nothing, or if it is not known.
    """
    wanted = INSTRUCTIONS.get(dtype, {})
    # Before torch 2.10 the list is missing.
    known: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    if known.get("architecture") != "x86_64" or any(known.get(name) for name in wanted):
        return ""
    return f"{dtype}: this CPU has no {' or '.join(wanted.values())}" if wanted else ""


def use_threads(job: CellJob) -> None:
    """Set the number of intra-op threads from the job's options."""
    if threads := job.options.threads:
        torch.set_num_threads(threads)


def require_device(device: str) -> None:
    """Raise Unavailable if `device` is a CUDA device that this PyTorch cannot use."""
    if not is_accelerator(device):
        return
    if not torch.cuda.is_available():
        built = torch.version.cuda
        why = (
            "this PyTorch is a CPU build" if built is None else f"CUDA {built} finds no usable GPU"
        )
        raise Unavailable(f"device {device}: {why}; next: python -m diagnostics")
    index = int(device.partition(":")[2] or 0)
    if index >= torch.cuda.device_count():
        raise Unavailable(
            f"device {device}: there are {torch.cuda.device_count()} CUDA devices, counted from 0"
        )


def device_facts(device: str) -> dict[str, Any]:
    """Return the fields of a DeviceResult that identify the accelerator; empty on a CPU."""
    if not is_accelerator(device):
        return {}
    return {
        "gpu": torch.cuda.get_device_name(device),
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
    }
