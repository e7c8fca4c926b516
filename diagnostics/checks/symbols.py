"""Checks that the libraries the loader finds define the symbol versions that others need."""

from __future__ import annotations

from collections.abc import Iterator

from diagnostics.checks.libraries import CORE, TORCH_TRIALS
from diagnostics.environment import Environment
from diagnostics.finding import Finding, Fix, Level
from diagnostics.finding_builders import by_hand, export, finding, listing
from diagnostics.records import VersionMiss
from diagnostics.registry import check, need

SYSTEM_LIBRARIES = ("libc.so", "libm.so", "libpthread.so", "libdl.so", "librt.so", "ld-linux")


@check("libstdcxx-too-old", "The C++ library that is found is new enough", "libraries")
def libstdcxx(environment: Environment) -> Iterator[Finding]:
    """The libstdc++ that the loader finds first lacks symbol versions that a library needs.

    Why: an old copy in LD_LIBRARY_PATH or from conda comes first: `version 'GLIBCXX_3.4.30' not
    found`. Cure: remove its folder from the path, or install a newer one.
    """
    for miss in _misses(environment):
        if "libstdc++" not in miss.provider and "libgcc" not in miss.provider:
            continue
        folder = miss.provider.rpartition("/")[0]
        conda = environment.variables.get("CONDA_PREFIX", "")
        fixes: list[Fix] = []
        if folder in environment.variables.get("LD_LIBRARY_PATH", "").split(":"):
            fixes.append(_without(environment, folder))
        if (conda and miss.provider.startswith(conda)) or environment.conda:
            fixes.append(
                Fix(
                    argv=("conda", "install", "-y", "-c", "conda-forge", "libstdcxx-ng"),
                    why="brings a newer libstdc++ into the conda environment",
                )
            )
        if not fixes:
            fixes.append(by_hand("use a newer distribution or container", "libstdc++ is its part"))
        yield _miss(environment, miss, tuple(fixes))


@check("symbol-version-missing", "Libraries fit each other", "libraries")
def symbol_versions(environment: Environment) -> Iterator[Finding]:
    """A library that the loader finds lacks a symbol version that another one needs.

    Why: libraries from different releases are mixed: `version 'GLIBC_2.28' not found`, `undefined
    symbol ... version ...`. Cure: install the version of the provider that its user was built with.
    """
    for miss in _misses(environment):
        provider = miss.provider.rpartition("/")[2]
        if provider.startswith(("libstdc++", "libgcc", "libnvJitLink", "libcudnn")):
            continue
        fixes: tuple[Fix, ...] = ()
        if provider.startswith(SYSTEM_LIBRARIES):
            fixes = (by_hand("use a newer distribution or container", "the C library is its part"),)
        elif miss.provider.rpartition("/")[0] in environment.variables.get("LD_LIBRARY_PATH", ""):
            fixes = (_without(environment, miss.provider.rpartition("/")[0]),)
        yield _miss(environment, miss, fixes)


def _misses(environment: Environment) -> tuple[VersionMiss, ...]:
    found = need(environment.linkage, "libraries were not walked").version_misses
    # One row per provider tells it; the rest would repeat it for every module.
    by_provider = {miss.provider: miss for miss in reversed(found)}
    return tuple(by_provider.values())


def _miss(environment: Environment, miss: VersionMiss, fixes: tuple[Fix, ...]) -> Finding:
    wanted = listing(list(miss.versions), 3)
    core = miss.distribution in CORE or miss.distribution.startswith("nvidia-")
    return finding(
        Level.ERROR if core else Level.WARN,
        f"{miss.provider} lacks {wanted}, which {miss.distribution or 'a library'} needs",
        subject=miss.distribution,
        cause="the loader finds an older library than the one it was built with",
        evidence={miss.library: f"needs {wanted}", "found first": miss.provider},
        fixes=fixes,
        explains=TORCH_TRIALS if core else (f"deep-import:{miss.distribution}",),
    )


def _without(environment: Environment, folder: str) -> Fix:
    parts = environment.variables.get("LD_LIBRARY_PATH", "").split(":")
    kept = ":".join(part for part in parts if part and part.rstrip("/") != folder.rstrip("/"))
    line = f"export LD_LIBRARY_PATH={kept}" if kept else "unset LD_LIBRARY_PATH"
    return export(line, f"takes {folder} out of the search path")


@check("nvjitlink-symbol", "nvJitLink is the one that the wheels bring", "libraries")
def nvjitlink(environment: Environment) -> Iterator[Finding]:
    """An older libnvJitLink precedes the installed one.

    Why: for wheels with DT_RUNPATH, LD_LIBRARY_PATH is searched first: `undefined symbol:
    __nvJitLinkComplete_12_4`. Cure: remove the folder from LD_LIBRARY_PATH.
    """
    yield from _overtaken(environment, "libnvJitLink")


@check("cudnn-runtime-older", "cuDNN is the one that torch was built with", "libraries")
def cudnn(environment: Environment) -> Iterator[Finding]:
    """Another cuDNN precedes the installed one, or the installed one is not the version that torch
    pins.

    Why: `cuDNN version incompatibility: PyTorch was compiled against ...`. Cure: remove the folder
    from LD_LIBRARY_PATH, or install the pinned version.
    """
    yield from _overtaken(environment, "libcudnn")


def _overtaken(environment: Environment, stem: str) -> Iterator[Finding]:
    linkage = need(environment.linkage, "libraries were not walked")
    misses = [m for m in _misses(environment) if m.provider.rpartition("/")[2].startswith(stem)]
    for miss in misses:
        yield _miss(environment, miss, (_without(environment, miss.provider.rpartition("/")[0]),))
    if misses:
        return
    for detour in linkage.detours:
        if detour.harmless or not detour.soname.startswith(stem):
            continue
        yield finding(
            Level.WARN,
            f"{detour.soname} is taken from {detour.found.rpartition('/')[0]}",
            subject=detour.distribution,
            cause="LD_LIBRARY_PATH goes before the DT_RUNPATH of the wheels",
            evidence={"found first": detour.found, "installed": detour.shipped},
            fixes=(_without(environment, detour.found.rpartition("/")[0]),),
            explains=("deep-cuda*", "library-overtaken:" + detour.distribution),
        )


@check("library-overtaken", "No variable replaces installed libraries", "libraries")
def overtaken(environment: Environment) -> Iterator[Finding]:
    """LD_LIBRARY_PATH makes the loader choose another library than the one in a wheel.

    Why: versions are mixed, which works until one function differs. Cure: remove the folder from
    the variable.
    """
    for detour in need(environment.linkage, "libraries were not walked").detours:
        if detour.harmless or detour.soname.startswith(("libnvJitLink", "libcudnn")):
            continue
        yield finding(
            Level.WARN,
            f"{detour.soname} of {detour.distribution} is taken from {detour.found}",
            subject=detour.distribution,
            cause="LD_LIBRARY_PATH goes before the DT_RUNPATH of the wheel",
            evidence={"found first": detour.found, "installed": detour.shipped},
            fixes=(_without(environment, detour.found.rpartition("/")[0]),),
        )


@check("ld-path-harmless", "CUDA folders in LD_LIBRARY_PATH", "libraries")
def harmless(environment: Environment) -> Iterator[Finding]:
    """LD_LIBRARY_PATH contains libraries that wheels also ship, and the wheels' own are found
    first.

    Why: recent wheels use DT_RPATH, which is searched before the variable, so this is harmless.
    Cure: none is needed.
    """
    found = [d for d in need(environment.linkage, "not walked").detours if d.harmless]
    if found:
        yield finding(
            Level.INFO,
            f"LD_LIBRARY_PATH also holds {listing([d.soname for d in found])}; it is not used",
            evidence={detour.found: "overridden by DT_RPATH" for detour in found[:3]},
        )
