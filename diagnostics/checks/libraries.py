"""Will the dynamic loader find and accept every shared library."""

from __future__ import annotations

from collections.abc import Iterator

from diagnostics.environment import Environment
from diagnostics.finding import Finding, Fix, Level
from diagnostics.finding_builders import finding, listing
from diagnostics.install_commands import install
from diagnostics.records import Unresolved
from diagnostics.registry import check, need
from diagnostics.requirement import parse_requirement

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
    """A CUDA library that torch or its partners need is nowhere to be found.

    Why: its package was removed or never installed: `libcudnn.so.9: cannot open shared object
    file`. Cure: the package in the version that torch pins.
    """
    for name, rows in _missing(environment).items():
        package = _nvidia_package(environment, name)
        if not package:
            continue
        yield _unfound(environment, name, rows, _pinned(environment, package))


@check("library-missing", "Every library that is asked for is found", "libraries")
def library_missing(environment: Environment) -> Iterator[Finding]:
    """An extension module needs a library that the loader does not find.

    Why: `cannot open shared object file: No such file or directory` on import.
    Cure: install the package that ships it, or the system's library.
    """
    for name, rows in _missing(environment).items():
        if not _nvidia_package(environment, name):
            owner = rows[0].supplier or rows[0].distribution
            yield _unfound(environment, name, rows, owner)


def _missing(environment: Environment) -> dict[str, list[Unresolved]]:
    linkage = need(environment.linkage, "libraries were not walked")
    found: dict[str, list[Unresolved]] = {}
    for row in linkage.unresolved:
        found.setdefault(row.needs, []).append(row)
    return found


def _nvidia_package(environment: Environment, library: str) -> str:
    """The name of the package that ships the CUDA library, as torch's build needs it."""
    stem = library.partition(".so")[0].partition("_")[0]
    for prefix, package in CUDA_PACKAGES.items():
        if stem == prefix or library.startswith(prefix):
            candidates = [
                wanted.name
                for item in environment.distributions
                for line in item.requires
                if (wanted := parse_requirement(line)) and wanted.name.startswith(package)
            ]
            return candidates[0] if candidates else package
    return ""


def _pinned(environment: Environment, package: str) -> str:
    for item in environment.distributions:
        for line in item.requires:
            wanted = parse_requirement(line)
            if wanted and wanted.name == package and wanted.ranges:
                return f"{package}{wanted.ranges.replace(' ', '')}"
    return package


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
    plain = requirement.partition("=")[0] in environment.packages
    fix = install(
        environment,
        requirement,
        why=f"brings {name}",
        reinstall=plain,
        dependencies=not plain,
    )
    fixes: tuple[Fix, ...] = (fix,)
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
