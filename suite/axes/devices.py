"""Devices on which a model runs: one row per kind of device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CPU: Final = "cpu"
CUDA: Final = "cuda"
AUTO: Final = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceKind:
    """One kind of device."""

    name: str
    """Name as in torch, without an index."""
    title: str
    """Display name."""
    is_numbered: bool = False
    """Whether a machine can have several: `NAME:N` selects one."""
    is_accelerator: bool = False
    """Whether it runs asynchronously and has its own memory: timing synchronizes, batches are copied from pinned memory
    and loaded by a process meanwhile, and its allocator reports its own peaks.
    """
    process_group: str
    """torch.distributed backend for training processes on it."""
    seed_tolerance: float = 0.0
    """Relative difference allowed between two trainings with one seed, because the order of summation may differ."""


DEVICE_KINDS: Final = {
    row.name: row
    for row in (
        DeviceKind(name=CPU, title="CPU", process_group="gloo"),
        DeviceKind(
            name=CUDA,
            title="CUDA",
            is_numbered=True,
            is_accelerator=True,
            process_group="nccl",
            seed_tolerance=5e-2,
        ),
    )
}
"""Name -> kind of device."""

DEVICES: Final = (AUTO, *DEVICE_KINDS)
"""Values of `--device`, besides `cuda:N`; auto measures the devices present."""

DEVICE_FORMS: Final = tuple(
    form
    for row in DEVICE_KINDS.values()
    for form in (row.name, *([f"{row.name}:N"] * row.is_numbered))
)
"""All forms that name one device: `cpu`, `cuda`, `cuda:N`."""


def device_kind(device: str) -> DeviceKind:
    """Return the kind of a device such as `cuda:1`; raise KeyError for an unknown one."""
    return DEVICE_KINDS[device.partition(":")[0]]


def is_accelerator(device: str) -> bool:
    """Return whether the device runs asynchronously and has memory of its own."""
    return device_kind(device).is_accelerator
