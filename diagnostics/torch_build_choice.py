"""Chooses a build of torch for a machine: the variant by driver and GPU, the partner by table."""

from __future__ import annotations

from diagnostics.accelerator import INDEX_LABEL, counted_as, index_variant, origin
from diagnostics.environment import Environment
from diagnostics.finding import Fix
from diagnostics.install_commands import in_turn, install, installer, rebuild, remove
from diagnostics.requirement import parse_requirement
from diagnostics.tables import architectures, drivers, torch_releases
from diagnostics.version import try_parse


def has_gpu(environment: Environment) -> bool:
    """Return True when any of the probes sees an NVIDIA device."""
    driver = environment.driver
    return bool(environment.gpus) or bool(
        driver and (driver.pci_devices or driver.num_cuda_devices > 0)
    )


def driver_version(environment: Environment) -> str:
    """Return the driver's version such as `580.65.06`, "" when it is not known."""
    driver = environment.driver
    return (driver.nvml_driver or driver.kernel_version) if driver else ""


def newest_cuda(environment: Environment) -> tuple[int, int] | None:
    """Return the newest CUDA that the driver supports, None when it is not known."""
    driver = environment.driver
    if driver and driver.cuda_version:
        major, _, minor = driver.cuda_version.partition(".")
        return int(major), int(minor or 0)
    version = driver_version(environment)
    return drivers.cuda_of(version) if version else None


def capabilities(environment: Environment) -> tuple[tuple[int, int], ...]:
    """Return the compute capabilities of the devices, such as (9, 0)."""
    known = (gpu.capability.split(".") for gpu in environment.gpus if gpu.capability)
    return tuple((int(parts[0]), int(parts[1])) for parts in known)


def best_build(environment: Environment) -> tuple[str, str] | None:
    """Return (torch release, variant) of the newest build that this driver and these GPUs can run.

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


def install_best(environment: Environment, why: str) -> tuple[Fix, ...]:
    """Return the command for the best build with its partners; () when the driver is not known."""
    if origin(environment) in ("vendor", "source"):
        return ()
    best = best_build(environment)
    if best is None:
        return ()
    release, variant = best
    # With the label in the version, an installer needs no force, which would move every dependency.
    wanted = [f"torch=={release}+{variant}"]
    for name in ("torchvision", "torchaudio"):
        partner = torch_releases.partner(release, name)
        if partner and (name == "torchvision" or name in environment.packages):
            wanted.append(f"{name}=={partner}+{variant}")
    return (install(environment, *wanted, why=why, variant=variant),)


def bring_partner(environment: Environment, name: str, why: str = "", release: str = "") -> Fix:
    """Return the command that brings the torchvision or torchaudio of the installed torch.

    `release` keeps that release of the partner where only its variant is wrong.
    """
    why = why or f"brings the {name} of the installed torch"
    torch = environment.builds["torch"]
    made_by = origin(environment)
    if made_by == "conda":
        fix = install(environment, name, why=why)
        if installer(environment, name) == "conda":
            return fix
        # The wheel's files stand where conda's would go.
        mine = Fix(argv=("conda", "install", "-y", "-p", environment.python.prefix, name), why="")
        return in_turn(remove(environment, name, why=""), mine, why=why)
    known = torch_releases.partner(counted_as(torch.version)[-1].partition("+")[0], name)
    if made_by in ("source", "vendor"):
        tag = f"@v{known}" if known else ""
        address = f"git+https://github.com/pytorch/{name.removeprefix('torch')}{tag}"
        return rebuild(
            environment,
            f"{name} @ {address}",
            f"compiles {name} against the installed torch: no index has a build for an own torch",
        )
    row = torch_releases.release(torch.version)
    variant = index_variant(torch)
    wanted = partner_requirement(environment, name, torch.version)
    return install(
        environment,
        f"{name}=={release}" if release else wanted,
        why=why,
        # The package index serves one variant of each release.
        variant="" if row is not None and variant == row.default else variant,
        reinstall=bool(release),
        upgrade=not release,
        dependencies=False,
    )


def index_of(environment: Environment, name: str) -> str:
    """Return the folder of PyTorch's index for a package whose metadata carry its label, else ""."""
    label = environment.packages.get(name, "").partition("+")[2]
    return label if INDEX_LABEL.match(label) else ""


def partner_requirement(environment: Environment, name: str, torch: str) -> str:
    """Return the requirement for the partner of this torch."""
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
    """Return the range of torch that the installed partner declares, "" when it declares none."""
    for item in environment.distributions:
        if item.name == name:
            for line in item.requires:
                wanted = parse_requirement(line)
                if wanted and wanted.name == "torch" and "extra" not in wanted.marker:
                    return wanted.ranges.replace(" ", "")
    return ""
