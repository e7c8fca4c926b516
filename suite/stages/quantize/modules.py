"""Worker side. The module recipes: PT2E for the x86 Inductor backend; on a GPU bfloat16 and torchao; all compiled."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from suite.axes import COMPILED, EAGER, TRAINED
from suite.backends import inductor
from suite.claims import Claim
from suite.flat_tensors import flatten_inputs, flatten_outputs, move
from suite.quantization.report import bytes_left
from suite.results.quantize import QuantizationReport
from suite.spec import ModelSpec
from suite.stages.quantize.quantized_pair import QuantizedPair
from suite.states import store
from suite.tasks.batch import Batch
from suite.training.loaders import moved
from suite.training.quality import Forward, module_forward
from suite.training.setup import TrainingSetup
from suite.worker.protocol import CellJob, Emit


def quantize_pt2e(
    job: CellJob, spec: ModelSpec, setup: TrainingSetup, folder: Path, emit: Emit
) -> QuantizedPair:
    """Compile the trained module with quantized convolutions and products by Inductor.

    It is compiled for the cell's batch, on which all recipes are timed, and evaluated in chunks of that size. The
    folder holds only the counts, because a compiled program is specific to this machine.
    """
    from suite.quantization.pt2e import (
        claims_of,
        compile_quantized,
        quantize_pt2e,
        with_compiled,
    )

    settings = spec.sizes[job.cell.size].quantization
    module = store.module_of(job, spec, TRAINED)
    size = job.cell.batch
    rows = setup.batches(batch=size)
    inputs = next(rows).inputs
    seen = [batch.inputs for batch in islice(rows, max(1, settings.calibration_samples // size))]
    program, report = quantize_pt2e(module, inputs, seen)
    emit("phase", name="compile")
    compiled = compile_quantized(program, inputs)
    report = with_compiled(report, compiled)
    plain = inductor.compiled(copy.deepcopy(module))
    flat = list(flatten_inputs(inputs).values())

    def timed(of: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        with torch.inference_mode():
            return of(*args, **kwargs)

    return QuantizedPair(
        reference=module_forward(module),
        quantized=same_shape_forward(compiled, size),
        calls={
            "float": partial(timed, module, **inputs),
            COMPILED: partial(timed, plain, **inputs),
            "quantized": partial(timed, compiled, *flat),
        },
        claims=claims_of(report, settings),
        report=report,
    )


def convert_to_bfloat16(
    job: CellJob, spec: ModelSpec, setup: TrainingSetup, folder: Path, emit: Emit
) -> QuantizedPair:
    """Compile the trained module in bfloat16."""
    return _convert_for_cuda(job, spec, setup, folder, lambda module: _converted(module))


def quantize_torchao(
    job: CellJob, spec: ModelSpec, setup: TrainingSetup, folder: Path, emit: Emit
) -> QuantizedPair:
    """Compile the trained module with its Linear layers in 8 bits by torchao."""
    from suite.quantization.torchao import first_that_runs, quantize_linear

    settings = spec.sizes[job.cell.size].quantization
    config = first_that_runs(settings.torchao, job.cell.device)
    return _convert_for_cuda(
        job, spec, setup, folder, lambda module: quantize_linear(module.to(torch.bfloat16), config)
    )


def _convert_for_cuda(
    job: CellJob,
    spec: ModelSpec,
    setup: TrainingSetup,
    folder: Path,
    convert: Callable[[nn.Module], QuantizationReport],
) -> QuantizedPair:
    """Compile the float module and the converted one on the GPU; `convert` works in place and returns the report."""
    device, settings = job.cell.device, spec.sizes[job.cell.size].quantization
    module = store.module_of(job, spec, TRAINED).to(device)
    converted = copy.deepcopy(module)
    before = _num_bytes(module)
    report = convert(converted)
    num_quantized = report.num_quantized or 0
    after = _num_bytes(converted)
    inputs = moved(setup.test()[0], device).inputs
    lower = move(inputs, device, torch.bfloat16)
    fast: Any = inductor.compiled(converted)
    plain: Any = inductor.compiled(module)

    def forward(batch: Batch) -> list[Tensor]:
        with torch.inference_mode():
            outputs = flatten_outputs(fast(**move(batch.inputs, device, torch.bfloat16)))
        return [t.float().cpu() if t.is_floating_point() else t.cpu() for t in outputs]

    def timed(of: Callable[..., Any], values: Any) -> Any:
        with torch.inference_mode():
            return of(**values)

    return QuantizedPair(
        reference=module_forward(module, device),
        quantized=forward,
        calls={
            EAGER: partial(timed, module, inputs),
            "float": partial(timed, plain, inputs),
            "quantized": partial(timed, fast, lower),
        },
        claims=[
            Claim(
                name="weights are converted",
                holds=num_quantized > 0,
                evidence=f"{num_quantized} layers",
            ),
            Claim(
                name="the model is smaller",
                holds=after <= settings.bytes_left * before,
                evidence=f"{before:,} B -> {after:,} B; expected at most x{settings.bytes_left:g}",
            ),
        ],
        report=replace(report, bytes=bytes_left(before, after)),
        synchronize=partial(torch.cuda.synchronize, device),
    )


def _converted(module: nn.Module) -> QuantizationReport:
    """Convert the module to bfloat16, in place."""
    layers = [m for m in module.modules() if any(True for _ in m.parameters(recurse=False))]
    module.to(torch.bfloat16)
    return QuantizationReport(method="bfloat16", num_quantized=len(layers))


def _num_bytes(module: nn.Module) -> int:
    """Return the bytes of weights and buffers as they are stored, shared ones counted once."""
    tensors = {id(t): t for t in (*module.parameters(), *module.buffers())}.values()
    return sum(_stored(t) for t in tensors)


def _stored(tensor: Tensor) -> int:
    """Return the bytes of a tensor; of a tensor subclass (torchao), those of the plain tensors inside it."""
    if hasattr(tensor, "__tensor_flatten__"):
        names, _ = tensor.__tensor_flatten__()
        return sum(_stored(getattr(tensor, name)) for name in names)
    return tensor.numel() * tensor.element_size()


def same_shape_forward(program: Callable[..., Any], size: int) -> Forward:
    """Return a forward pass that runs a program for `size` samples in chunks; the last is padded, its outputs cut."""

    def forward(batch: Batch) -> list[Tensor]:
        flat = list(flatten_inputs(batch.inputs).values())
        portions = []
        for begin in range(0, batch.num_samples, size):
            part = [t[begin : begin + size] for t in flat]
            missing = size - len(part[0])
            filled = [torch.cat([t, t[-1:].expand(missing, *t.shape[1:])]) for t in part]
            with torch.inference_mode():
                portions.append([t[: size - missing] for t in flatten_outputs(program(*filled))])
        return [torch.cat(parts) for parts in zip(*portions, strict=True)]

    return forward
