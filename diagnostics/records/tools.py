"""Compilers, the model cache and the git checkout."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolchain:
    """Compilers and build tools that torch.compile and extensions use."""

    cxx: str = ""
    cxx_asked: str = ""
    """Value of the variable CXX."""
    cc: str = ""
    ninja: str = ""
    nvcc: str = ""
    nvcc_release: str = ""
    cuda_home: str = ""
    cuda_home_source: str = ""
    cuda_home_has_headers: bool = False
    git: str = ""
    uv: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """The model cache of transformers and the variables around it."""

    home: str = ""
    offline: bool = False
    num_cached: int = 0
    broken: tuple[str, ...] = ()
    """Cached weight files with a header of another format than their name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """The git checkout of the current folder."""

    commit: str = ""
    dirty: bool = False
