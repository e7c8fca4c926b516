"""Which build of torch fits a machine: the variant by driver and GPU, the partner by table."""

from __future__ import annotations

from diagnostics.environment import Environment
from diagnostics.finding import Fix
from diagnostics.install_commands import install
from diagnostics.requirement import parse_requirement
from diagnostics.tables import architectures, drivers, torch_releases
from diagnostics.version import try_parse


def has_gpu(environment: Environment) -> bool:
    """True when an NVIDIA device is there, seen by any of the probes."""
    driver = environment.driver
    return bool(environment.gpus) or bool(
        driver and (driver.pci_devices or driver.num_cuda_devices > 0)
    )


def driver_version(environment: Environment) -> str:
    """The driver's version such as `580.65.06`, "" when it is not known."""
    driver = environment.driver
    return (driver.nvml_driver or driver.kernel_version) if driver else ""


def newest_cuda(environment: Environment) -> tuple[int, int] | None:
    """The newest CUDA that the driver supports, None when it is not known."""
    driver = environment.driver
    if driver and driver.cuda_version:
        major, _, minor = driver.cuda_version.partition(".")
        return int(major), int(minor or 0)
    version = driver_version(environment)
    return drivers.cuda_of(version) if version else None


def capabilities(environment: Environment) -> tuple[tuple[int, int], ...]:
    """Compute capabilities of the devices, such as (9, 0)."""
    known = (gpu.capability.split(".") for gpu in environment.gpus if gpu.capability)
    return tuple((int(parts[0]), int(parts[1])) for parts in known)


def best_build(environment: Environment) -> tuple[str, str] | None:
    """(torch release, variant) of the newest build that this driver and these GPUs can run.

    None when the driver is not known: no advice is better than a guess.
    """
    newest = newest_cuda(environment)
    if newest is None:
        return None
    python = _minor(environment)
    for release in reversed(torch_releases.RELEASES):
        if python and torch_releases.has_wheel("torch", release.torch, python) is False:
            continue
        for variant in reversed(release.variants):
            fits = drivers.variant_runs(variant, newest)
            runs = (
                architectures.variant_runs(release.torch, variant, capability)
                for capability in capabilities(environment)
            )
            if fits and all(runs):
                return release.torch, variant
    return None


def _minor(environment: Environment) -> tuple[int, int] | None:
    parts = environment.python.version.split(".")
    return (int(parts[0]), int(parts[1])) if len(parts) > 1 and parts[1].isdigit() else None


def series(name: str, version: str) -> str:
    """A requirement for the series of a version: `torch==2.14.*`."""
    found = try_parse(version)
    return f"{name}=={found.minor}.*" if found else name


def install_best(environment: Environment, why: str) -> tuple[Fix, ...]:
    """The command for the best build with its torchvision; () when the driver is not known."""
    best = best_build(environment)
    if best is None:
        return ()
    release, variant = best
    vision = torch_releases.partner(release, "torchvision")
    wanted = [series("torch", release), *([series("torchvision", vision)] if vision else [])]
    fix = install(environment, *wanted, why=why, variant=variant, reinstall=True)
    return (fix,)


def partner_requirement(environment: Environment, name: str, torch: str) -> str:
    """What to ask an installer for as the partner of this torch."""
    known = torch_releases.partner(torch, name)
    if known is None:
        return name
    newest = torch_releases.versions("torch")[-1]
    found = try_parse(known)
    if found and torch_releases.release(torch) == torch_releases.release(newest):
        major, minor = found.release[:2]
        return f"{name}>={found.minor},<{major}.{minor + 1}"
    return f"{name}=={known}"


def declared_torch(environment: Environment, name: str) -> str:
    """The range of torch that the installed partner declares, "" when it declares none."""
    for item in environment.distributions:
        if item.name == name:
            for line in item.requires:
                wanted = parse_requirement(line)
                if wanted and wanted.name == "torch" and "extra" not in wanted.marker:
                    return wanted.ranges.replace(" ", "")
    return ""
