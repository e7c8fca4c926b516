"""Installed distributions, their files as RECORD lists them, and how libraries were built."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """One installed distribution, read from its metadata folder."""

    name: str
    version: str
    directory: str
    """The metadata folder."""
    installer: str = ""
    requires: tuple[str, ...] = ()
    requires_python: str = ""
    tags: tuple[str, ...] = ()
    editable: bool = False
    flaw: str = ""
    """What is wrong with the metadata itself, empty when it can be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CondaPackage:
    """One record of conda-meta."""

    name: str
    version: str
    build: str = ""
    channel: str = ""
    """Such as `conda-forge`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One file that differs from its line in RECORD."""

    distribution: str
    path: str
    kind: str
    """`missing`, `dangling`, `size` or `unreadable`."""
    expected: int = -1
    found: int = -1
    """Sizes in bytes, -1 when unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """How much of one distribution is damaged."""

    distribution: str
    num_files: int
    num_missing: int
    num_changed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Files that two distributions both claim with different contents."""

    first: str
    second: str
    num_files: int
    example: str
    num_libraries: int = 0
    """Shared libraries among them."""
    on_disk: str = ""
    """The one of the two whose files are there; empty when they are mixed or of neither."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """RECORD of every distribution against the disk."""

    num_files: int = 0
    losses: tuple[Loss, ...] = ()
    damages: tuple[Damage, ...] = ()
    """At most a few per distribution."""
    overlaps: tuple[Overlap, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """How an installed library was built, from its `version.py` and its shared libraries."""

    package: str
    version: str
    """With its local label, such as `2.15.0+cu132`."""
    cuda: str = ""
    """Such as `13.2`; empty for a build without CUDA."""
    hip: str = ""
    path: str = ""
    xpu: str = ""
    """Version of Intel's runtime; empty for a build without it."""
    links_cuda: bool = False
    """Its extension module needs CUDA libraries."""
    linked: tuple[str, ...] = ()
    """Runtimes that its libraries need: `libcudart.so.12`, `libamdhip64.so.6`, `libsycl.so.8`, ..."""
    architectures: tuple[str, ...] = ()
    """Such as `sm_90`, `compute_120`; empty when not read."""
