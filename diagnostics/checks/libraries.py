"""Checks that the dynamic loader finds every shared library that is needed."""

from __future__ import annotations

from collections.abc import Iterator

from diagnostics.accelerator import origin
from diagnostics.dependencies import closure
from diagnostics.environment import Environment
from diagnostics.finding import Finding, Fix, Level
from diagnostics.finding_builders import by_hand, finding, listing
from diagnostics.install_commands import install
from diagnostics.records import Unresolved
from diagnostics.registry import check, need
from diagnostics.torch_build_choice import index_of

CORE = frozenset(
    ["torch", "torchvision", "torchaudio", "numpy", "onnx", "onnxruntime", "onnxruntime-gpu"]
)
CUDA_PACKAGES = {
    "libcudnn": "nvidia-cudnn",
    "libcublas": "nvidia-cublas",
    "libcudart": "nvidia-cuda-runtime",
    "libcufft": "nvidia-cufft",
    "libcurand": "nvidia-curand",
    "libcusolver": "nvidia-cusolver",
    "libcusparseLt": "nvidia-cusparselt",
    "libcusparse": "nvidia-cusparse",
    "libnccl": "nvidia-nccl",
    "libnvrtc": "nvidia-cuda-nvrtc",
    "libcupti": "nvidia-cuda-cupti",
    "libnvJitLink": "nvidia-nvjitlink",
    "libnvshmem": "nvidia-nvshmem",
    "libcufile": "nvidia-cufile",
    "libnvToolsExt": "nvidia-nvtx",
}
"""Library -> beginning of the name of the package that ships it."""
TORCH_TRIALS = ("deep-*",)


@check("nvidia-lib-missing", "torch finds its CUDA libraries", "libraries")
def nvidia_library_missing(environment: Environment) -> Iterator[Finding]:
    """A CUDA library that torch or its companions need cannot be found.

    Why: its package was removed or never installed: `libcudnn.so.9: cannot open shared object
    file`. Cure: install the package in the version that torch pins.
    """
    for name, rows in _missing(environment).items():
        if _is_nvidia(name):
            users = tuple(dict.fromkeys(row.distribution for row in rows))
            yield _unfound(environment, name, rows, _cuda_package(environment, name, users))


@check("library-missing", "Every library that is asked for is found", "libraries")
def library_missing(environment: Environment) -> Iterator[Finding]:
    """An extension module needs a library that the loader does not find.

    Why: `cannot open shared object file: No such file or directory` on import.
    Cure: install the package that ships it, or the system's library.
    """
    for name, rows in _missing(environment).items():
        if not _is_nvidia(name):
            owner = rows[0].supplier or rows[0].distribution
            yield _unfound(environment, name, rows, owner)


def _missing(environment: Environment) -> dict[str, list[Unresolved]]:
    linkage = need(environment.linkage, "libraries were not walked")
    found: dict[str, list[Unresolved]] = {}
    for row in linkage.unresolved:
        found.setdefault(row.needs, []).append(row)
    return found


def _is_nvidia(library: str) -> str:
    """Return the prefix of the packages that ship a CUDA library, "" for other libraries."""
    stem = library.partition(".so")[0].partition("_")[0]
    return next(
        (p for lib, p in CUDA_PACKAGES.items() if stem == lib or library.startswith(lib)), ""
    )


def _cuda_package(environment: Environment, library: str, owners: tuple[str, ...]) -> str:
    """Return the requirement that provides the CUDA library, as its users state it; torch's first."""
    start = _is_nvidia(library)
    for owner in ("torch", *owners):
        for name, wanted in closure(environment, owner).items():
            if _ships(name, start):
                return f"{name}{wanted.ranges.replace(' ', '')}"
    return next((d.name for d in environment.distributions if _ships(d.name, start)), "")


def _ships(name: str, start: str) -> bool:
    return name == start or name.startswith(f"{start}-cu")


def _unfound(
    environment: Environment, name: str, rows: list[Unresolved], requirement: str
) -> Finding:
    owners = tuple(dict.fromkeys(row.distribution for row in rows))
    core = any(owner in CORE for owner in owners)
    dangling = next((row.dangling for row in rows if row.dangling), "")
    cause = "no folder that the loader searches has it"
    if dangling:
        cause = f"{dangling} is a link that points nowhere"
    torch_only = name.startswith(("libtorch", "libc10"))
    fixes: tuple[Fix, ...] = _fixes(environment, name, owners, requirement)
    if torch_only:
        fixes = ()
        cause = "the installed torch is another variant and has no such library"
    return finding(
        Level.ERROR if core else Level.WARN,
        f"{name} is needed by {listing(owners)} and will not be found",
        subject=owners[0],
        cause=cause,
        evidence={row.library: f"needs {name}" for row in rows[:3]},
        fixes=fixes,
        explains=(
            f"dependency-unmet:{requirement.partition('=')[0]}",
            *(TORCH_TRIALS if "torch" in owners else (f"deep-import:{o}" for o in owners)),
        ),
    )


def _fixes(
    environment: Environment, library: str, owners: tuple[str, ...], requirement: str
) -> tuple[Fix, ...]:
    package = requirement.partition("=")[0]
    if requirement and (package in environment.packages or not _is_nvidia(library)):
        version = environment.packages.get(package, "")
        exact = f"{package}=={version}" if version and requirement == package else requirement
        installed = package in environment.packages
        return (
            install(
                environment,
                exact,
                why=f"brings {library}",
                variant=index_of(environment, package),
                reinstall=installed,
                dependencies=not installed,
            ),
        )
    if requirement:
        return (install(environment, requirement, why=f"brings {library}"),)
    if origin(environment, owners[0]) == "conda":
        name = _is_nvidia(library).removeprefix("nvidia-")
        argv = ("conda", "install", "-y", "-p", environment.python.prefix, name)
        return (Fix(argv=argv, why=f"conda's package brings {library}"),)
    # Own builds and NVIDIA's images take CUDA from the system: a wheel would be a second copy.
    toolkit = environment.torch.cuda if environment.torch else ""
    return (
        by_hand(
            f"install {library} of CUDA {toolkit or 'toolkit'} into the system, then: ldconfig -p"
            f" | grep {library}",
            f"{owners[0]} was built against the system's CUDA libraries",
        ),
    )
