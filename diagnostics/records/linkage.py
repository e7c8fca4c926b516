"""Faults of dynamic linking among the installed libraries."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Unresolved:
    """A shared library that the loader will not find."""

    library: str
    distribution: str
    needs: str
    supplier: str = ""
    """The distribution whose RECORD lists a file of that name."""
    dangling: str = ""
    """A link of that name which points nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionMiss:
    """A symbol version that the library which the loader finds does not define."""

    library: str
    distribution: str
    provider: str
    versions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Detour:
    """A library that LD_LIBRARY_PATH makes the loader find elsewhere than in the wheels."""

    soname: str
    library: str
    """The library that needs it."""
    distribution: str
    found: str
    shipped: str
    harmless: bool
    """The library that needs it has DT_RPATH, which is searched first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Misbuilt:
    """An extension module that this interpreter or its NumPy cannot load."""

    path: str
    distribution: str
    kind: str
    """`tag`, `machine`, `numpy` or `not-elf`."""
    detail: str
    built_for: str = ""
    """The Python in the file's name as in a wheel's tag (`cp310`), for kind `tag`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignSymbols:
    """An extension module that needs symbols of torch which the installed torch does not export."""

    distribution: str
    library: str
    symbols: tuple[str, ...]
    """The first few, mangled."""
    num_symbols: int
    built_for: str = ""
    """The torch it was built for, such as `2.7`; empty when its package does not tell."""
    other_strings: bool = False
    """Some exist with the other C++ ABI of `std::string`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Linkage:
    """What a walk over the ELF headers of the installed libraries found."""

    num_libraries: int = 0
    unresolved: tuple[Unresolved, ...] = ()
    version_misses: tuple[VersionMiss, ...] = ()
    detours: tuple[Detour, ...] = ()
    misbuilt: tuple[Misbuilt, ...] = ()
    foreign_symbols: tuple[ForeignSymbols, ...] = ()
    openmp: tuple[str, ...] = ()
    """Copies of Intel's and LLVM's OpenMP runtime (libiomp5, libomp)."""
    provider_needs: tuple[str, ...] = ()
    """What the CUDA provider of ONNX Runtime needs and the loader will not find."""
    provider_wants: tuple[str, ...] = ()
    """All CUDA libraries that it needs."""
