"""For which GPU architectures a variant of torch was compiled, and whether a GPU can run it.

Lists: the architecture matrix in PyTorch's RELEASE.md (2.9 and later) and what
`torch.cuda.get_arch_list()` prints in the wheels of earlier ones. Linux on x86-64.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from diagnostics.tables.version import numbers

DATED = "2026-11-23"

Capability = tuple[int, int]

_ARCH = re.compile(r"(sm|compute)_(\d+)(\d)([af]?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """The architectures of one variant over a range of torch releases."""

    variant: str
    since: str
    until: str
    """First and last torch series of the row, both included."""
    archs: tuple[str, ...]
    is_ptx_known: bool
    """False when it is not known whether PTX for newer GPUs is inside as well."""


def _row(variant: str, since: str, until: str, archs: str, ptx: bool = False) -> Build:
    names = tuple(f"sm_{a}" if a.isdigit() else a for a in archs.split())
    return Build(variant=variant, since=since, until=until, archs=names, is_ptx_known=ptx)


_KEPLER = "37 50 60 70 75 80 86"
_HOPPER = "50 60 70 75 80 86 90"
_TURING = "75 80 86 90 100 120"

BUILDS: tuple[Build, ...] = (
    _row("cu102", "1.9", "1.12", "37 50 60 70"),
    _row("cu111", "1.9", "1.10", _KEPLER),
    _row("cu113", "1.10", "1.12", _KEPLER),
    _row("cu115", "1.11", "1.11", _KEPLER),
    _row("cu116", "1.12", "1.13", _KEPLER),
    _row("cu117", "1.13", "2.0", _KEPLER),
    _row("cu118", "2.0", "2.7", "37 " + _HOPPER),
    _row("cu121", "2.1", "2.5", _HOPPER),
    _row("cu124", "2.4", "2.6", _HOPPER),
    _row("cu126", "2.6", "2.14", _HOPPER),
    _row("cu128", "2.7", "2.7", _TURING),
    _row("cu128", "2.8", "2.10", "70 " + _TURING),
    _row("cu128", "2.11", "2.11", _TURING),
    _row("cu129", "2.8", "2.8", "70 " + _TURING),
    _row("cu130", "2.9", "2.10", _TURING + " compute_120", ptx=True),
    _row("cu130", "2.11", "2.15", _TURING),
    _row("cu132", "2.12", "2.14", _TURING),
    _row("cu132", "2.15", "2.15", _TURING, ptx=True),
)


def build(torch: str, variant: str) -> Build | None:
    """Return the row for a torch version and a variant, None when it is not known."""
    series = numbers(torch)[:2]
    for row in BUILDS:
        if row.variant == variant and numbers(row.since) <= series <= numbers(row.until):
            return row
    return None


def runs(capability: Capability, archs: tuple[str, ...] | list[str]) -> bool:
    """Return whether a GPU of this compute capability can run code compiled for `archs`.

    Rule of the CUDA programming guide: a cubin for X.y runs on X.z with z >= y; PTX for N runs
    on anything that is not older than N; `a` targets run on that very capability only, `f`
    targets on their own major from that minor on.
    """
    return any(_runs_one(capability, arch) for arch in archs)


def variant_runs(torch: str, variant: str, capability: Capability) -> bool | None:
    """Return whether a variant of torch runs on a GPU; None when the table cannot know."""
    row = build(torch, variant)
    if row is None:
        return None
    if runs(capability, row.archs):
        return True
    newest = max(_parsed(arch)[1] for arch in row.archs)
    return None if not row.is_ptx_known and capability > newest else False


def _parsed(arch: str) -> tuple[str, Capability, str]:
    match = _ARCH.fullmatch(arch)
    return (match[1], (int(match[2]), int(match[3])), match[4]) if match else ("", (0, 0), "")


def _runs_one(capability: Capability, arch: str) -> bool:
    kind, built, suffix = _parsed(arch)
    if not kind:
        return False
    if suffix == "a":
        return capability == built
    if kind == "compute" and not suffix:
        return capability >= built
    return capability[0] == built[0] and capability[1] >= built[1]
