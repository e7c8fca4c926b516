"""Reads how the installed libraries were built, from their files without importing them."""

# Plain os calls start faster than pathlib and take most of the second that a run may take.
# ruff: noqa: PTH110, PTH118, PTH119, PTH123

from __future__ import annotations

import os
import re
from pathlib import Path

from diagnostics.facts.loader import Loader
from diagnostics.facts.procfs import text
from diagnostics.records import Build

_PACKAGES = ("torch", "torchvision", "torchaudio")
_ASSIGN = re.compile(
    r"^(__version__|cuda|cuda_version|hip|xpu|git_version)\s*(?::[^=\n]+)?=\s*"
    r"(?:'([^'\n]*)'|\"([^\"\n]*)\"|([\w.]+))",
    re.MULTILINE,
)
_RUNTIMES = ("libcudart", "libtorch_", "libc10_", "libamdhip64", "libsycl")
"""Beginnings of the libraries that tell what a module was linked with."""
_CUDA_LIBRARIES = ("libtorch_cuda", "libcudart", "libc10_cuda")
_COMMON = ("libtorch_cpu.so", "libtorch_python.so", "libtorch_global_deps.so")
_FIRST_ARCHITECTURE = re.compile(rb"sm_\d")
"""A fixed beginning is searched some sixty times as fast as the alternation below: 34 MB in 16 ms."""
_ARCHITECTURES = re.compile(rb"(?:(?:sm|compute)_\d{2,3}[af]?[ \0])+")
_BLOCK = 1 << 20
_LONGEST_LIST = 512
"""Bytes around such a beginning in which its list lies."""


def describe(
    sites: tuple[str, ...], loader: Loader, *, architectures: bool = False
) -> dict[str, Build]:
    """Return {package: how it was built}; a package without a version file is left out."""
    found: dict[str, Build] = {}
    for folder in reversed(sites):
        for package in _PACKAGES:
            build = _from_version_file(folder, package, loader)
            if build:
                found[package] = build
        runtime = _onnxruntime(folder)
        if runtime:
            found["onnxruntime"] = runtime
    torch = found.get("torch")
    if torch and architectures and torch.cuda:
        found["torch"] = _with_architectures(torch)
    return found


def _assignments(path: str) -> dict[str, str]:
    pairs = _ASSIGN.findall(text(path))
    return {
        name: single or double or ("" if bare == "None" else bare)
        for name, single, double, bare in pairs
    }


def _from_version_file(folder: str, package: str, loader: Loader) -> Build | None:
    path = os.path.join(folder, package, "version.py")
    said = _assignments(path)
    if "__version__" not in said:
        return None
    version = said["__version__"]
    label = version.partition("+")[2]
    cuda = said.get("cuda", "")
    if not re.fullmatch(r"[\d.]+", cuda):
        cuda = f"{label[2:-1]}.{label[-1]}" if re.fullmatch(r"cu\d{3,}", label) else ""
    place = os.path.join(folder, package)
    linked = _linked_runtimes(place, loader)
    return Build(
        package=package,
        version=version,
        cuda=cuda,
        hip=said.get("hip", ""),
        xpu=said.get("xpu", ""),
        path=place,
        links_cuda=any(name.startswith(_CUDA_LIBRARIES) for name in linked),
        linked=linked,
    )


def _linked_runtimes(folder: str, loader: Loader) -> tuple[str, ...]:
    """Accelerator runtimes that the package ships or asks for, by soname."""
    own = ("libtorch_cuda.so", "libtorch_hip.so", "libtorch_xpu.so")
    libraries = [os.path.join(folder, "lib", name) for name in own]
    shipped = [path for path in libraries if os.path.exists(path)]
    modules = [*Path(folder).glob("_C*.so"), *Path(folder, "lib").glob("lib*aud*.so")]
    found = [os.path.basename(path) for path in shipped]
    for path in (*shipped, *map(str, modules)):
        header = loader.header(path)
        found += header.needed if header else ()
    kept = (name for name in found if name.startswith(_RUNTIMES))
    return tuple(sorted({name for name in kept if name not in _COMMON}))


def _onnxruntime(folder: str) -> Build | None:
    path = os.path.join(folder, "onnxruntime", "capi", "build_and_package_info.py")
    said = _assignments(path)
    if "__version__" not in said:
        return None
    return Build(
        package="onnxruntime",
        version=said["__version__"],
        cuda=said.get("cuda_version", ""),
        path=os.path.join(folder, "onnxruntime"),
        links_cuda=os.path.exists(
            os.path.join(folder, "onnxruntime", "capi", "libonnxruntime_providers_cuda.so")
        ),
    )


def _with_architectures(torch: Build) -> Build:
    """Return torch's build with the list that `torch.cuda.get_arch_list()` would print."""
    import dataclasses

    path = os.path.join(torch.path, "lib", "libtorch_python.so")
    longest = b""
    try:
        # Read in blocks, not mapped: the pages of 34 MB would count as memory of this process.
        with open(path, "rb", buffering=0) as file:
            before = b""
            while block := file.read(_BLOCK):
                part = before + block
                longest = max((longest, *_lists(part)), key=len)
                before = part[-2 * _LONGEST_LIST :]
    except OSError:
        return torch
    words = tuple(longest.replace(b"\0", b" ").decode().split())
    return dataclasses.replace(torch, architectures=words)


def _lists(part: bytes) -> list[bytes]:
    """Return the lists of architectures in a part of a library."""
    around = (
        part[max(0, hit.start() - _LONGEST_LIST) : hit.end() + _LONGEST_LIST]
        for hit in _FIRST_ARCHITECTURE.finditer(part)
    )
    return [found for piece in around for found in _ARCHITECTURES.findall(piece)]
