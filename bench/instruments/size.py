"""Worker side. Size: parameters, bytes and MACs of a model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from suite.built_model import subject_for
from suite.flat_tensors import cast
from suite.macs import count_macs
from suite.worker.protocol import Emit, Job


def run(job: Job, emit: Emit) -> dict[str, Any]:
    """Measurements `parameters` (a count), `parameter_bytes` (bytes, in the cell's dtype) and
    `macs` of one batch.

    The model is always measured on the CPU: its size does not depend on device and backend.
    """
    assert job.cell is not None, "size needs a cell"
    subject = subject_for(job, emit)
    emit("phase", name="macs")
    module, inputs = subject.module, subject.batch.inputs
    macs = count_macs(module, lambda: module(**inputs))
    module = cast(module, "cpu", getattr(torch, job.cell.dtype))
    facts = sizes(module)
    values = {
        "parameters": ("1", facts["num_parameters"]),
        "parameter_bytes": ("B", facts["num_parameter_bytes"] + facts["num_buffer_bytes"]),
        "macs": ("MAC", macs),
    }
    return {
        "measurements": [
            {"metric": name, "unit": unit, "samples": [float(value)]}
            for name, (unit, value) in values.items()
        ],
        "facts": {
            **subject.batch.facts,
            **facts,
            "published_parameters": subject.spec.parameters,
            "num_samples": subject.batch.num_samples,
            "num_tokens": subject.batch.num_tokens,
        },
    }


def sizes(module: nn.Module) -> dict[str, int]:
    """Return numbers and bytes of parameters and buffers, shared ones counted once."""
    parameters, buffers = _once(module.parameters()), _once(module.buffers())
    return {
        "num_parameters": sum(p.numel() for p in parameters),
        "num_trainable": sum(p.numel() for p in parameters if p.requires_grad),
        "num_parameter_bytes": sum(p.numel() * p.element_size() for p in parameters),
        "num_buffers": sum(b.numel() for b in buffers),
        "num_buffer_bytes": sum(b.numel() * b.element_size() for b in buffers),
    }


def _once(tensors: Iterable[Tensor]) -> list[Tensor]:
    """Return the tensors, those that share memory only once."""
    found = {}
    for tensor in tensors:
        place = tensor.data_ptr() if tensor.numel() else id(tensor)
        found[place, tensor.numel()] = tensor
    return list(found.values())
