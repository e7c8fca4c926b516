"""Where a model runs: one row per kind of device."""

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
    """As torch spells it, without an index."""
    title: str
    """As people write it."""
    is_numbered: bool = False
    """A machine can have several: `NAME:N` picks one."""
    is_accelerator: bool = False
    """Queues its work and has memory of its own: a clock waits for it, batches are copied to it from pinned memory,
    a process loads them meanwhile, and its allocator has peaks of its own.
    """
    process_group: str
    """Backend of torch.distributed for processes that train on it."""
    seed_tolerance: float = 0.0
    """By how much (relative) two trainings with one seed may differ, because sums are added in another order."""


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
"""What `--device` takes, beside `cuda:N`; auto measures what is there."""

DEVICE_FORMS: Final = tuple(
    form
    for row in DEVICE_KINDS.values()
    for form in (row.name, *([f"{row.name}:N"] * row.is_numbered))
)
"""Every way to name one device: `cpu`, `cuda`, `cuda:N`."""


def device_kind(device: str) -> DeviceKind:
    """Return the kind of a device such as `cuda:1`; raises KeyError for one that is no row."""
    return DEVICE_KINDS[device.partition(":")[0]]


def is_accelerator(device: str) -> bool:
    """Return whether the device queues its work and has memory of its own."""
    return device_kind(device).is_accelerator
