"""What is used beside the libraries: compilers, the model cache, the checkout."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolchain:
    """Compilers and build tools that torch.compile and extensions use."""

    cxx: str = ""
    cxx_asked: str = ""
    """What the variable CXX says."""
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
    """Cached weight files whose header is not what their name says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """The git checkout of the current folder."""

    commit: str = ""
    dirty: bool = False
