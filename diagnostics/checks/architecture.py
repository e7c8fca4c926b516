"""Checks whether this build of torch contains code for the GPUs of this machine."""

from __future__ import annotations

from collections.abc import Iterator

from diagnostics.checks.driver import driver_of
from diagnostics.environment import Environment
from diagnostics.finding import Finding, Level
from diagnostics.finding_builders import finding
from diagnostics.registry import Skipped, check, need
from diagnostics.tables import architectures
from diagnostics.torch_build_choice import install_best


@check("arch-too-new", "torch was built for this GPU (not too old a build)", "driver")
def arch_too_new(environment: Environment) -> Iterator[Finding]:
    """The GPU is newer than any architecture in this build of torch.

    Why: `CUDA error: no kernel image is available for execution on the device`. Cure: install a
    build that lists it; cubins run on the same major version, PTX on all newer ones.
    """
    yield from _architecture(environment, newer=True)


@check("arch-too-old", "torch was built for this GPU (not too old a GPU)", "driver")
def arch_too_old(environment: Environment) -> Iterator[Finding]:
    """The GPU is older than any architecture in this build of torch.

    Why: `CUDA error: no kernel image is available for execution on the device`; CUDA 12.8 and 13
    builds dropped Maxwell, Pascal and Volta. Cure: install the last build that supports it.
    """
    yield from _architecture(environment, newer=False)


def _architecture(environment: Environment, *, newer: bool) -> Iterator[Finding]:
    driver_of(environment)
    torch = need(environment.torch, "torch is not installed")
    if not torch.cuda:
        raise Skipped("torch is built without CUDA")
    variant = "cu" + torch.cuda.replace(".", "")
    row = architectures.build(torch.version, variant)
    listed = torch.architectures or (row.archs if row else ())
    if not listed:
        raise Skipped("the build's architectures are not known")
    for gpu in environment.gpus:
        if not gpu.capability:
            continue
        major, minor = (int(part) for part in gpu.capability.split("."))
        if torch.architectures:
            runs = architectures.runs((major, minor), torch.architectures)
        else:
            runs = architectures.variant_runs(torch.version, variant, (major, minor)) is not False
        oldest = min(_number(name) for name in listed)
        if runs or (major * 10 + minor > oldest) != newer:
            continue
        yield finding(
            Level.ERROR,
            f"{gpu.name} (sm_{major}{minor}) is not among the architectures of torch "
            f"{torch.version}",
            subject=f"cuda:{gpu.index}",
            cause="the build holds no code that this GPU can run",
            evidence={"build": " ".join(listed), "compute capability": gpu.capability},
            fixes=install_best(environment, "the newest build with code for this GPU"),
            explains=("deep-cuda*", "deep-matmul:cuda*"),
        )


def _number(name: str) -> int:
    digits = "".join(c for c in name.partition("_")[2] if c.isdigit())
    return int(digits or 0)
