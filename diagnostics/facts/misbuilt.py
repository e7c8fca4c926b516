"""Finds extension modules built for another Python, another processor or another NumPy."""

# Plain os calls start faster than pathlib and take most of the second that a run may take.
# ruff: noqa: PTH110, PTH113, PTH123

from __future__ import annotations

import mmap
import os
import re

from diagnostics.facts.loader import Loader
from diagnostics.records import Distribution, Interpreter, Misbuilt
from diagnostics.version import allows

_TAGGED = re.compile(r"\.cpython-(\d+t?d?)-([\w]+)-[\w-]+\.so$")
_OLD_NUMPY = (b"numpy.core._multiarray_umath", b"numpy.core.multiarray")
_ANY_NUMPY = b"multiarray"
_NEW_NUMPY = b"numpy._core._multiarray_umath"
_NUMPY_ITSELF = ("numpy",)
LARGEST_SCANNED = 24 << 20
LARGEST_UNASKED = 4 << 20
"""Bytes of a module that is scanned although its package does not ask for NumPy."""
NUM_SCANNED = 4
"""Modules looked at per distribution before it counts as not using NumPy's C interface."""


def misbuilt_modules(
    libraries: dict[str, str],
    interpreter: Interpreter,
    loader: Loader,
    distributions: tuple[Distribution, ...] = (),
) -> tuple[Misbuilt, ...]:
    """Return the extension modules that cannot be loaded here, with the reason in `detail`."""
    found: list[Misbuilt] = []
    own = _TAGGED.search(f".{interpreter.soabi}.so")
    tag = own[1] if own else "".join(interpreter.version.split(".")[:2])
    stems: dict[str, set[str]] = {}
    for path in libraries:
        match = _TAGGED.search(path)
        if match:
            stems.setdefault(path[: match.start()], set()).add(match[1])
    for stem, tags in stems.items():
        if tag and tag not in tags and not os.path.exists(stem + ".abi3.so"):
            path = next(p for p in libraries if p.startswith(stem + ".cpython-"))
            built_for = min(tags)
            found.append(
                Misbuilt(
                    path=path,
                    distribution=libraries.get(path, ""),
                    kind="tag",
                    detail=f"built for cpython-{built_for}",
                    built_for=f"cp{built_for}",
                )
            )
    for path, header in list(loader.headers.items()):
        machine = header.machine if header else ""
        foreign = machine and interpreter.machine and machine != interpreter.machine
        if foreign and path in libraries:
            found.append(_note(libraries, path, "machine", f"built for {machine}"))
    return (*found, *_unreadable(libraries, loader), *_for_old_numpy(libraries, distributions))


def _note(libraries: dict[str, str], path: str, kind: str, detail: str) -> Misbuilt:
    return Misbuilt(path=path, distribution=libraries.get(path, ""), kind=kind, detail=detail)


def _unreadable(libraries: dict[str, str], loader: Loader) -> tuple[Misbuilt, ...]:
    broken = (p for p, h in loader.headers.items() if h is None and p in libraries)
    return tuple(
        _note(libraries, path, "not-elf", "not a whole ELF library")
        for path in broken
        if os.path.isfile(path)
    )


def _for_old_numpy(
    libraries: dict[str, str], distributions: tuple[Distribution, ...]
) -> tuple[Misbuilt, ...]:
    """Modules built against NumPy 1, among those of packages that may use NumPy at all."""
    numpy = next((item.version for item in distributions if item.name == "numpy"), "2")
    if distributions and not allows(">=2.0.dev0", numpy):
        return ()
    users = {
        item.name
        for item in distributions
        if any(line.startswith("numpy") for line in item.requires)
    }
    # A package that names its dependencies, and not NumPy, has no use for NumPy's C interface.
    elsewhere = {item.name for item in distributions if item.requires and item.name not in users}
    found: list[Misbuilt] = []
    looked: dict[str, int] = {}
    done: set[str] = {*_NUMPY_ITSELF, *elsewhere}
    for path, distribution in libraries.items():
        if distribution in done or not _TAGGED.search(path):
            continue
        looked[distribution] = looked.get(distribution, 0) + 1
        if looked[distribution] > NUM_SCANNED:
            continue
        largest = LARGEST_SCANNED if distribution in users else LARGEST_UNASKED
        verdict = _numpy_of(path, largest)
        if verdict:
            done.add(distribution)
        if verdict == "1":
            found.append(_note(libraries, path, "numpy", "built against NumPy 1"))
    return tuple(found)


def _numpy_of(path: str, largest: int) -> str:
    """`1`, `2` or "" when the module does not use NumPy's C interface or is very large."""
    try:
        with open(path, "rb") as file:
            if not 64 < os.fstat(file.fileno()).st_size < largest:
                return ""
            with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as image:
                # One pass for those that do not use it.
                if image.find(_ANY_NUMPY) < 0:
                    return ""
                if image.find(_NEW_NUMPY) >= 0:
                    return "2"
                return "1" if any(image.find(mark) >= 0 for mark in _OLD_NUMPY) else ""
    except (OSError, ValueError):
        return ""
