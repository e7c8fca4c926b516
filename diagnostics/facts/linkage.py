"""Walks the installed extension modules as the loader would and notes what it will not find."""

# Plain os calls start faster than pathlib and take most of the second that a run may take.
# ruff: noqa: PTH110, PTH114, PTH118, PTH119

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

from diagnostics.facts.loader import Loader
from diagnostics.facts.misbuilt import misbuilt_modules
from diagnostics.facts.torch_symbols import foreign_symbols
from diagnostics.records import Detour, Distribution, Interpreter, Linkage, Unresolved, VersionMiss

DRIVER_LIBRARIES = ("libcuda.so", "libnvidia-", "libnvcuvid.so", "libamdhip64", "libze_loader")
"""Installed with a driver, not with a wheel: their absence is the driver checks' matter."""
CORE = ("torch", "torchvision", "torchaudio", "numpy", "onnx", "onnxruntime", "onnxruntime-gpu")
_EXTENSION = re.compile(r"\.(?:cpython-[^/]*|abi3|pypy[^/]*)\.so$|/[^/.]+\.so$")
_PLUGIN = re.compile(r"/lib[^/]*\.so")
_STDLIB_SUPPLIED = re.compile(r"^(?:libpython3|ld-linux)")


@dataclass(slots=True)
class _Walk:
    loader: Loader
    libraries: dict[str, str]
    """Path -> distribution, from RECORD."""
    shipped: dict[str, list[str]]
    """File name -> paths of that name that the environment ships."""
    seen: set[tuple[str, str]] = field(default_factory=set)
    unresolved: list[Unresolved] = field(default_factory=list)
    misses: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    detours: list[Detour] = field(default_factory=list)

    def owner(self, path: str) -> str:
        return self.libraries.get(path) or self.libraries.get(self.loader.real(path), "")


def walk(
    libraries: dict[str, str],
    interpreter: Interpreter,
    loader: Loader,
    distributions: tuple[Distribution, ...] = (),
) -> Linkage:
    """Return what is wrong with the dynamic linking of the environment.

    Starts from extension modules and follows NEEDED, so that optional plugins which nothing
    asks for (an RDMA transport, a TensorRT provider) are left alone.
    """
    shipped: dict[str, list[str]] = {}
    for path in libraries:
        shipped.setdefault(os.path.basename(path), []).append(path)
    state = _Walk(loader, libraries, shipped)
    roots = [path for path in libraries if _is_root(path)]
    for root in roots:
        _visit(state, (root,))
    wants = _provider(state)
    misses = tuple(
        VersionMiss(
            library=library,
            distribution=state.owner(library),
            provider=provider,
            versions=tuple(versions),
        )
        for (library, provider), versions in state.misses.items()
    )
    return Linkage(
        num_libraries=len(loader.headers),
        unresolved=tuple(state.unresolved),
        version_misses=misses,
        detours=tuple(state.detours),
        misbuilt=misbuilt_modules(libraries, interpreter, loader, distributions),
        foreign_symbols=foreign_symbols(libraries, distributions, loader),
        openmp=_openmp(interpreter, shipped),
        provider_wants=wants,
        provider_needs=tuple(name for name in wants if not _found_for_provider(state, name)),
    )


def _is_root(path: str) -> bool:
    if path.endswith((".abi3.so",)) or ".cpython-" in path:
        return True
    name = os.path.basename(path)
    return path.endswith(".so") and not name.startswith("lib") and bool(_EXTENSION.search(path))


def _visit(state: _Walk, chain: tuple[str, ...]) -> None:
    library = chain[0]
    header = state.loader.header(library)
    if header is None:
        return
    providers: dict[str, str] = {}
    for name in header.needed:
        if name.startswith(DRIVER_LIBRARIES) or _STDLIB_SUPPLIED.match(name):
            continue
        found, through = state.loader.find(name, chain)
        if not found:
            found = _preloaded(state, name)
        if not found:
            _note_unresolved(state, library, name)
            continue
        providers[name] = found
        if through == "LD_LIBRARY_PATH" or name in state.shipped:
            _note_detour(state, library, name, found, through, chain)
        key = (found, "")
        if key not in state.seen:
            state.seen.add(key)
            _visit(state, (found, *chain))
    _compare_versions(state, library, header.demands, providers)


def _preloaded(state: _Walk, name: str) -> str:
    """Return a shipped library of that name: its package loads it before others need it by name."""
    return next((path for path in state.shipped.get(name, ()) if os.path.exists(path)), "")


def _note_unresolved(state: _Walk, library: str, name: str) -> None:
    if ("", library + name) in state.seen:
        return
    state.seen.add(("", library + name))
    shipped = state.shipped.get(name, [])
    dangling = next((path for path in shipped if os.path.islink(path)), "")
    if not dangling:
        folders = (*state.loader.library_path, *state.loader.system)
        candidates = (os.path.join(folder, name) for folder in folders)
        dangling = next((path for path in candidates if os.path.islink(path)), "")
    state.unresolved.append(
        Unresolved(
            library=library,
            distribution=state.owner(library),
            needs=name,
            supplier=state.libraries.get(shipped[0], "") if shipped else "",
            dangling=dangling,
        )
    )


def _note_detour(
    state: _Walk, library: str, name: str, found: str, through: str, chain: tuple[str, ...]
) -> None:
    shipped = state.shipped.get(name, [])
    if not shipped:
        return
    ours = {state.loader.real(path) for path in shipped}
    if through == "LD_LIBRARY_PATH" and state.loader.real(found) not in ours:
        harmless = False
        detour = found
    else:
        # What the variable offers and DT_RPATH overrides is worth a remark, not an alarm.
        offered = (os.path.join(folder, name) for folder in state.loader.library_path)
        detour = next((path for path in offered if os.path.exists(path)), "")
        harmless = True
        if not detour or state.loader.real(detour) in ours:
            return
    if any(known.soname == name and known.harmless == harmless for known in state.detours):
        return
    state.detours.append(
        Detour(
            soname=name,
            library=library,
            distribution=state.owner(library),
            found=detour,
            shipped=shipped[0],
            harmless=harmless,
        )
    )


def _compare_versions(
    state: _Walk, library: str, demands: tuple[tuple[str, str], ...], providers: dict[str, str]
) -> None:
    for name, version in demands:
        provider = providers.get(name)
        header = state.loader.header(provider) if provider else None
        # A provider without any version definition satisfies all (the loader only warns).
        if provider is None or header is None or not header.defines:
            continue
        if version not in header.defines:
            found = state.misses.setdefault((library, provider), [])
            if version not in found:
                found.append(version)


def _openmp(interpreter: Interpreter, shipped: dict[str, list[str]]) -> tuple[str, ...]:
    found = []
    for name in ("libiomp5.so", "libomp.so", "libomp.so.5"):
        found += shipped.get(name, [])
        path = os.path.join(interpreter.prefix, "lib", name)
        if os.path.exists(path) and path not in found:
            found.append(path)
    return tuple(dict.fromkeys(os.path.realpath(path) for path in found))


def _provider(state: _Walk) -> tuple[str, ...]:
    for path in state.shipped.get("libonnxruntime_providers_cuda.so", []):
        header = state.loader.header(path)
        if header is not None:
            return tuple(
                name
                for name in header.needed
                if name.startswith(("libcu", "libnv")) and not name.startswith(DRIVER_LIBRARIES)
            )
    return ()


def _found_for_provider(state: _Walk, name: str) -> bool:
    """True when the loader, or `onnxruntime.preload_dlls()` or torch, would have it."""
    path = state.shipped["libonnxruntime_providers_cuda.so"][0]
    return bool(state.loader.find(name, (path,))[0] or _preloaded(state, name))
