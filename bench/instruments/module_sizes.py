"""Worker side. Numbers and bytes of a module's parameters and buffers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from suite.measurement import Measurement

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleSizes:
    """Parameters and buffers, shared ones counted once."""

    num_parameters: int
    num_trainable: int
    num_parameter_bytes: int
    num_buffers: int
    """Elements of buffers."""
    num_buffer_bytes: int


def sizes(module: nn.Module) -> ModuleSizes:
    """Return numbers and bytes of parameters and buffers, shared ones counted once."""
    parameters, buffers = _once(module.parameters()), _once(module.buffers())
    return ModuleSizes(
        num_parameters=sum(p.numel() for p in parameters),
        num_trainable=sum(p.numel() for p in parameters if p.requires_grad),
        num_parameter_bytes=sum(p.numel() * p.element_size() for p in parameters),
        num_buffers=sum(b.numel() for b in buffers),
        num_buffer_bytes=sum(b.numel() * b.element_size() for b in buffers),
    )


def size_measurements(counted: ModuleSizes, macs: int | None) -> tuple[Measurement, ...]:
    """Return the measurements `parameters` (a count), `parameter_bytes` and `macs` (of one forward pass, if known)."""
    values = {
        "parameters": ("1", counted.num_parameters),
        "parameter_bytes": ("B", counted.num_parameter_bytes + counted.num_buffer_bytes),
        "macs": ("MAC", macs),
    }
    return tuple(
        Measurement(metric=name, unit=unit, samples=(float(value),))
        for name, (unit, value) in values.items()
        if value is not None
    )


def _once(tensors: Iterable[Tensor]) -> list[Tensor]:
    """Return the tensors, those that share memory only once."""
    found = {}
    for tensor in tensors:
        place = tensor.data_ptr() if tensor.numel() else id(tensor)
        found[place, tensor.numel()] = tensor
    return list(found.values())
