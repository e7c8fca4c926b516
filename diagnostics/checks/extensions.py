"""Checks that extension modules match this Python, processor, NumPy and torch, and that OpenMP is loaded once."""

from __future__ import annotations

import re
from collections.abc import Iterator

from diagnostics.environment import Environment
from diagnostics.finding import Finding, Fix, Level
from diagnostics.finding_builders import by_hand, export, finding
from diagnostics.install_commands import install, rebuild
from diagnostics.registry import check, need
from diagnostics.torch_build_choice import bring_partner
from diagnostics.version import allows


@check("extension-misbuilt", "Extension modules were built for this Python and NumPy", "libraries")
def misbuilt(environment: Environment) -> Iterator[Finding]:
    """An extension module was built for another Python, processor or NumPy, or is not a valid
    library.

    Why: `No module named ..._C`, `A module that was compiled using NumPy 1.x cannot be run in NumPy
    2`, `invalid ELF header`. Cure: install its package again for this Python.
    """
    linkage = need(environment.linkage, "libraries were not walked")
    numpy = environment.packages.get("numpy", "")
    abis = {
        distribution.name: {tag.rpartition("-")[0] for tag in distribution.tags}
        for distribution in environment.distributions
    }
    seen: set[tuple[str, str]] = set()
    for row in linkage.misbuilt:
        if (row.distribution, row.kind) in seen:
            continue
        if row.kind == "numpy" and (not numpy or not allows(">=2.0", numpy)):
            continue
        if row.kind == "tag" and f"{row.built_for}-abi3" in abis.get(row.distribution, ()):
            # Named after the Python that built a wheel for all later ones: torchao 0.18.0 ships
            # one such file and loads it by its path.
            continue
        seen.add((row.distribution, row.kind))
        version = environment.packages.get(row.distribution, "")
        name = row.distribution or "an unknown package"
        again = install(
            environment,
            f"{name}=={version}" if version and row.kind != "numpy" else name,
            why="brings a build for this Python" if row.kind != "numpy" else "brings a newer build",
            reinstall=row.kind != "numpy",
            upgrade=row.kind == "numpy",
            dependencies=row.kind == "numpy",
        )
        if any(row.path.startswith(f"{folder}/") for folder in environment.python.pythonpath):
            again = export("unset PYTHONPATH", "leaves its folder out: it is another Python's")
        older = install(environment, "numpy<2", why="until there is a build for NumPy 2")
        this = (
            {
                "numpy": f"NumPy {numpy}",
                "tag": environment.python.soabi or environment.python.version,
                "machine": environment.python.machine,
            }
        ).get(row.kind, "the place of an extension module")
        yield finding(
            Level.ERROR,
            f"{name} {version}: {row.detail}, this is {this}",
            subject=name,
            cause="copied from another environment, or older than the rest",
            evidence={row.path: row.detail},
            fixes=(again, older) if row.kind == "numpy" else (again,),
            explains=(f"deep-import:{name.replace('-', '_')}",),
        )


@check("extension-other-torch", "Extensions of torch were built for this torch", "libraries")
def other_torch(environment: Environment) -> Iterator[Finding]:
    """An extension module needs symbols of torch that no library of the installed torch exports.

    Why: flash-attn, xformers, mmcv and custom operators are built for one release and one C++ ABI
    of torch: `undefined symbol: _ZN3c10...` on import. Cure: compile the package against the
    installed torch.
    """
    linkage = need(environment.linkage, "libraries were not walked")
    torch = environment.torch
    if torch is None:
        return
    for row in linkage.foreign_symbols:
        name = row.distribution or "an unknown package"
        version = environment.packages.get(name, "")
        built_for = f"torch {row.built_for}" if row.built_for else "another torch"
        if row.other_strings and not row.built_for:
            built_for = "a torch with the other C++ ABI of std::string"
        yield finding(
            Level.ERROR,
            f"{name} {version} was built for {built_for}, this is torch {torch.version}",
            subject=name,
            cause=f"{row.num_symbols} symbol(s) that it needs are in no library of this torch, such as "
            f"{readable(row.symbols[0])}",
            evidence={row.library: "needs " + ", ".join(row.symbols[:2])},
            fixes=_for_this_torch(environment, name, version),
            explains=(f"deep-import:{name.replace('-', '_')}", f"extension-misbuilt:{name}"),
        )


def _for_this_torch(environment: Environment, name: str, version: str) -> tuple[Fix, ...]:
    if name in ("torchvision", "torchaudio"):
        return (bring_partner(environment, name),)
    public = version.partition("+")[0]
    # An isolated build would compile against the newest torch, not against the installed one.
    again = rebuild(
        environment,
        f"{name}=={public}" if public else name,
        "compiles it against the installed torch; takes a compiler and some minutes",
    )
    return (again,)


def readable(symbol: str) -> str:
    """Return the qualified name in a mangled C++ symbol: `_ZN3c105ErrorC2E...` -> `c10::Error::Error`."""
    rest = re.sub(r"^_Z(?:T[IVST])?N?[KVr]*", "", symbol)
    parts: list[str] = []
    while (length := re.match(r"\d+", rest)) is not None:
        end = length.end() + int(length[0])
        parts.append(rest[length.end() : end])
        rest = rest[end:]
    if parts and re.match(r"[CD]\d", rest):
        parts.append(("~" if rest[0] == "D" else "") + parts[-1])
    return "::".join(parts) if parts else symbol


@check("omp-duplicates", "One Intel or LLVM OpenMP runtime", "libraries")
def openmp(environment: Environment) -> Iterator[Finding]:
    """Several copies of libiomp5 or libomp can be loaded into one process.

    Why: `OMP: Error #15: Initializing libiomp5.so, but found libiomp5.so already initialized`.
    Several copies of libgomp in wheels are normal. Cure: keep one copy; KMP_DUPLICATE_LIB_OK only
    hides the conflict.
    """
    copies = need(environment.linkage, "libraries were not walked").openmp
    if len(copies) < 2:
        return
    conda = bool(environment.conda)
    fix = (
        Fix(argv=("conda", "install", "-y", "nomkl"), why="leaves the copy of the wheels alone")
        if conda
        else by_hand(f"mv {copies[1]} {copies[1]}.off", "after a look at who needs it")
    )
    yield finding(
        Level.WARN,
        f"{len(copies)} OpenMP runtimes (libiomp5, libomp) are installed",
        cause="two packages bring their own",
        evidence=dict.fromkeys(copies[:4], "OpenMP runtime"),
        fixes=(
            fix,
            export("export KMP_DUPLICATE_LIB_OK=TRUE", "a workaround: results may be wrong"),
        ),
    )
