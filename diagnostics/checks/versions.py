"""Checks that torch, torchvision and torchaudio match each other and the machine."""

from __future__ import annotations

from collections.abc import Iterator

from diagnostics.accelerator import INDEX_LABEL, accelerator_of, counted_as, differ, origin
from diagnostics.environment import Environment
from diagnostics.finding import Finding, Fix, Level
from diagnostics.finding_builders import by_hand, finding
from diagnostics.install_commands import install
from diagnostics.records import Build
from diagnostics.registry import Skipped, check, need
from diagnostics.tables import torch_releases
from diagnostics.torch_build_choice import (
    bring_partner,
    declared_torch,
    has_gpu,
    install_best,
    newest_cuda,
)
from diagnostics.version import allows, parse, try_parse

PARTNERS = ("torchvision", "torchaudio")
BROKEN_IMPORTS = ("deep-import:torchvision", "deep-import:transformers", "deep-nms", "deep-vision*")


@check("torch-installed", "torch is installed", "versions")
def torch_installed(environment: Environment) -> Iterator[Finding]:
    """torch is not installed in the examined environment.

    Why: everything else depends on it. Cure: install it, with torchvision.
    """
    if "torch" in environment.packages or environment.torch:
        return
    best = install_best(environment, "installs the newest build that the driver can run")
    plain = install(environment, "torch", "torchvision", why="installs both from the package index")
    yield finding(
        Level.ERROR,
        "torch is not installed in this environment",
        cause="another Python may have it: the doctor looked at the one named below",
        evidence={"python": environment.python.executable},
        fixes=best or (plain,),
        explains=(
            "deep-*",
            "torch-missing-or-old",
            "empty-dir-namespace",
            "dependency-unmet:torch",
            "library-missing:torchvision",
            "library-missing:torchaudio",
        ),
    )


def _builds(environment: Environment) -> tuple[Build, list[Build]]:
    torch = need(environment.torch, "torch is not installed")
    partners = [environment.builds[name] for name in PARTNERS if name in environment.builds]
    if not partners:
        raise Skipped("neither torchvision nor torchaudio is installed")
    return torch, partners


@check("tv-version-pair", "torchvision and torchaudio belong to this torch", "versions")
def version_pair(environment: Environment) -> Iterator[Finding]:
    """Torchvision or torchaudio was built for an older torch than the installed one.

    Why: its operators do not load: `operator torchvision::nms does not exist`, which transformers
    hides behind another message. Cure: install the release that matches the installed torch.
    """
    yield from _pairs(environment, newer=False)


@check("tv-stable-abi-needs-newer-torch", "torch is new enough for its partners", "versions")
def needs_newer_torch(environment: Environment) -> Iterator[Finding]:
    """Torchvision or torchaudio needs a newer torch than the installed one.

    Why: its operators do not load: `operator torchvision::nms does not exist`. Cure: install the
    release that matches the installed torch, or a newer torch.
    """
    yield from _pairs(environment, newer=True)


def _pairs(environment: Environment, *, newer: bool) -> Iterator[Finding]:
    torch, partners = _builds(environment)
    for partner in partners:
        asked = declared_torch(environment, partner.package)
        if (
            _fits(environment, torch, partner, asked)
            or _needs_newer(asked, partner, torch) != newer
        ):
            continue
        source = f"{partner.package} Requires-Dist" if asked else "table"
        yield finding(
            Level.ERROR,
            f"{partner.package} {partner.version} does not belong to torch {torch.version}",
            subject=partner.package,
            cause=f"it was built for {'a newer' if newer else 'another'} torch"
            + (f": {asked}" if asked else f" (table of {torch_releases.DATED})"),
            evidence={
                "torch/version.py": torch.version,
                f"{partner.package}/version.py": partner.version,
                source: f"torch{asked}" if asked else "another release of torch",
            },
            fixes=(bring_partner(environment, partner.package),),
            explains=(
                *BROKEN_IMPORTS,
                f"deep-import:{partner.package}",
                "dependency-unmet:torch",
                f"extension-other-torch:{partner.package}",
                f"tv-cpu-torch-cuda-vision:{partner.package}",
            ),
        )


def _fits(environment: Environment, torch: Build, partner: Build, asked: str) -> bool:
    """Return False when the companion package is known to need another torch; an unknown one counts
    as matching.
    """
    if origin(environment) == origin(environment, partner.package) == "conda":
        return True  # conda's solver has matched them, and its recipes drop the wheels' pins
    if asked:
        return any(allows(asked, version) for version in counted_as(torch.version))
    if "index" not in (origin(environment), origin(environment, partner.package)):
        return True
    label = partner.version.partition("+")[2]
    if label and not INDEX_LABEL.match(label):
        return True
    if torch_releases.is_pair(torch.version, partner.package, partner.version) is not False:
        return True
    # Builds that declare nothing may have been made for any patch release of a series.
    known = torch_releases.torch_for(partner.package, partner.version)
    return known is not None and parse(known.torch).minor == parse(torch.version).minor


def _needs_newer(asked: str, partner: Build, torch: Build) -> bool:
    if asked:
        bounds = [part[2:] for part in asked.split(",") if part[:2] in ("==", ">=", "~=")]
        found = [bound for text in bounds if (bound := try_parse(text.removesuffix(".*")))]
        return any(bound > parse(torch.version).public for bound in found)
    row = torch_releases.torch_for(partner.package, partner.version)
    return bool(row and parse(row.torch) > parse(torch.version).public)


@check("tv-cpu-torch-cuda-vision", "torch and its partners are the same variant", "versions")
def variants_differ(environment: Environment) -> Iterator[Finding]:
    """One of torch, torchvision, torchaudio is a CUDA build, another a CPU build or for another
    CUDA major version.

    Why: the extension needs CUDA libraries that torch did not bring, so its operators do not load:
    `operator torchvision::nms does not exist`. Installers report no conflict. Cure: reinstall the
    differing one in torch's variant; `--force-reinstall` is needed because `0.28.0` and
    `0.28.0+cpu` compare equal.
    """
    torch, partners = _builds(environment)
    mine = accelerator_of(torch)
    for partner in partners:
        other = accelerator_of(partner)
        if not differ(mine, other) or (partner.package == "torchaudio" and not partner.linked):
            continue
        yield finding(
            Level.ERROR,
            f"torch is a {mine} build, {partner.package} a {other} build",
            subject=partner.package,
            cause="they were installed from different indexes",
            evidence={
                "torch/version.py": torch.version,
                f"{partner.package}/version.py": partner.version,
                **({"linked with": ", ".join(partner.linked)} if partner.linked else {}),
            },
            fixes=tuple(_same_variant(environment, torch, partner)),
            explains=(
                *BROKEN_IMPORTS,
                f"deep-import:{partner.package}",
                "library-missing:" + partner.package,
                "nvidia-lib-missing:" + partner.package,
                "extension-other-torch:" + partner.package,
            ),
        )


def _same_variant(environment: Environment, torch: Build, partner: Build) -> Iterator[Fix]:
    if accelerator_of(torch).kind == "cpu" and has_gpu(environment):
        best = install_best(environment, "replaces both by a build for this machine's GPU")
        if best:
            yield from best
            return
    asked = declared_torch(environment, partner.package)
    keeps = _fits(environment, torch, partner, asked)
    yield bring_partner(
        environment,
        partner.package,
        why=f"brings {partner.package} in the variant of torch",
        release=partner.version.partition("+")[0] if keeps else "",
    )


KIND_NAMES = {"rocm": "AMD's GPUs (ROCm)", "xpu": "Intel's GPUs (XPU)"}


@check("cpu-build-on-gpu-host", "A GPU host has a CUDA build", "versions")
def cpu_build_on_gpu_host(environment: Environment) -> Iterator[Finding]:
    """torch is a build for the CPU, AMD or Intel although the GPUs of this machine are NVIDIA's.

    Why: everything runs on the CPU, or fails with `Torch not compiled with CUDA enabled`. Cure:
    install the newest CUDA build that the driver supports.
    """
    torch = need(environment.torch, "torch is not installed")
    kind = accelerator_of(torch).kind
    # GPUs of another maker are not listed here: where NVIDIA's driver answers, its GPUs are meant.
    foreign = kind in ("rocm", "xpu") and bool(environment.gpus)
    if not has_gpu(environment) or not (kind == "cpu" or foreign):
        return
    names = ", ".join(gpu.name for gpu in environment.gpus) or "an NVIDIA device on the PCI bus"
    fixes = install_best(environment, "replaces the CPU build")
    if newest_cuda(environment) is None:
        fixes = (
            by_hand(
                "nvidia-smi --query-gpu=driver_version --format=csv,noheader",
                "the driver is not known: its version decides which build to take",
            ),
        )
    yield finding(
        Level.WARN,
        f"torch {torch.version} cannot use the GPU here ({names})",
        cause=f"it is the build for {KIND_NAMES[kind]}"
        if foreign
        else "it is a build without CUDA",
        evidence={"torch/version.py": torch.version, "GPU": names},
        fixes=fixes,
        explains=("deep-cuda*",),
    )


@check("torch-newer-than-table", "The doctor knows this torch", "versions")
def newer_than_table(environment: Environment) -> Iterator[Finding]:
    """torch is newer than the doctor's table.

    Why: pairs and variants are then judged from the packages' metadata alone. Cure: upgrade
    torch-vitals; the environment itself is fine.
    """
    torch = need(environment.torch, "torch is not installed")
    if torch_releases.is_newer_than_table("torch", torch.version):
        yield finding(
            Level.INFO,
            f"torch {torch.version} is newer than the doctor's table of {torch_releases.DATED}",
            evidence={"torch/version.py": torch.version},
        )
