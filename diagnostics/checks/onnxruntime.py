"""Checks that one ONNX Runtime is installed, complete, and matches the machine."""

from __future__ import annotations

from collections.abc import Iterator

from diagnostics.checks.ownership import choose
from diagnostics.environment import Environment
from diagnostics.finding import Finding, Fix, Level
from diagnostics.finding_builders import finding, listing
from diagnostics.install_commands import in_turn, install, remove
from diagnostics.packages import TWINS
from diagnostics.registry import Skipped, check, need
from diagnostics.torch_build_choice import has_gpu

FLAVOURS = TWINS[0]
IMPORTS = ("deep-import:onnxruntime", "deep-onnxruntime*", "file-missing:onnxruntime*")


def _installed(environment: Environment) -> list[str]:
    found = [name for name in FLAVOURS if name in environment.packages]
    if not found:
        raise Skipped("ONNX Runtime is not installed")
    return found


@check("ort-both", "Only one ONNX Runtime is installed", "onnxruntime")
def both(environment: Environment) -> Iterator[Finding]:
    """Two ONNX Runtime packages share one folder.

    Why: the files of the last one installed replace some of the other's: `CUDAExecutionProvider is
    not in available provider names`. Installers report no conflict. Cure: remove both, then install
    one.
    """
    found = _installed(environment)
    if len(found) < 2:
        return
    owners = environment.files.overlaps if environment.files else ()
    on_disk = next((o.on_disk for o in owners if o.first in found and o.second in found), "")
    keep = choose(environment, found, on_disk=on_disk)
    fix = in_turn(
        remove(environment, *found, why=""),
        install(environment, f"{keep}=={environment.packages[keep]}", why=""),
        why=f"clears the shared folder and installs {keep} alone",
    )
    yield finding(
        Level.ERROR,
        f"{listing(found)} are installed over each other",
        cause="all of them own the folder onnxruntime/",
        evidence={name: environment.packages[name] for name in found},
        fixes=(fix,),
        explains=(
            *IMPORTS,
            "files-claimed-twice:onnxruntime*",
            "file-truncated:onnxruntime*",
            "ort-cpu-only-build",
            "ort-cuda-libs",
        ),
        links=("https://github.com/microsoft/onnxruntime/issues/26996",),
    )


@check("ort-gutted", "ONNX Runtime is whole", "onnxruntime")
def gutted(environment: Environment) -> Iterator[Finding]:
    """Most files of ONNX Runtime are missing although its metadata is present.

    Why: uninstalling one of two overlaid packages deletes the files of both: `module 'onnxruntime'
    has no attribute 'InferenceSession'`. Cure: install the remaining one again.
    """
    found = _installed(environment)
    files = need(environment.files, "files were not compared")
    for loss in files.losses:
        if loss.distribution not in found or loss.num_missing * 2 < loss.num_files:
            continue
        version = environment.packages[loss.distribution]
        fix: Fix = install(
            environment,
            f"{loss.distribution}=={version}",
            why="puts its files back",
            reinstall=True,
            dependencies=False,
        )
        yield finding(
            Level.ERROR,
            f"{loss.distribution} {version} is an empty shell",
            subject=loss.distribution,
            cause="its files were deleted, as uninstalling its twin does",
            evidence={"RECORD": f"{loss.num_missing} of {loss.num_files} files are missing"},
            fixes=(fix,),
            explains=(*IMPORTS, "ort-both"),
        )


@check("ort-cpu-only-build", "A GPU host has a GPU build of ONNX Runtime", "onnxruntime")
def cpu_only(environment: Environment) -> Iterator[Finding]:
    """ONNX Runtime has no CUDA provider although this machine has an NVIDIA GPU.

    Why: `Specified provider 'CUDAExecutionProvider' is not in available provider names`, or
    sessions run on the CPU silently. Cure: replace it by onnxruntime-gpu.
    """
    found = _installed(environment)
    build = environment.builds.get("onnxruntime")
    if not has_gpu(environment) or found != ["onnxruntime"] or (build and build.links_cuda):
        return
    fix = in_turn(
        remove(environment, "onnxruntime", why=""),
        install(environment, "onnxruntime-gpu[cuda,cudnn]", why="", keeps_torch=True),
        why="replaces the CPU package; they cannot live side by side",
    )
    yield finding(
        Level.INFO,
        "ONNX Runtime will run on the CPU: the installed package has no CUDA provider",
        cause="onnxruntime is the CPU package, onnxruntime-gpu the other one",
        evidence={"onnxruntime": environment.packages["onnxruntime"]},
        fixes=(fix,),
    )


@check("ort-cuda-major-vs-torch", "ONNX Runtime and torch use one CUDA", "onnxruntime")
def other_major(environment: Environment) -> Iterator[Finding]:
    """onnxruntime-gpu was built for another CUDA major version than torch.

    Why: it cannot use torch's CUDA libraries, so its provider needs a second set. Cure: install the
    package for torch's CUDA version, or its own libraries as well.
    """
    runtime = environment.builds.get("onnxruntime")
    torch = environment.torch
    if not runtime or not runtime.cuda or not torch or not torch.cuda:
        raise Skipped("not two CUDA builds")
    mine, other = runtime.cuda.split(".")[0], torch.cuda.split(".")[0]
    if mine != other:
        yield finding(
            Level.WARN,
            f"ONNX Runtime was built for CUDA {runtime.cuda}, torch for {torch.cuda}",
            cause="different CUDA major versions share no libraries",
            evidence={"onnxruntime": runtime.cuda, "torch": torch.cuda},
            fixes=(
                install(
                    environment,
                    "onnxruntime-gpu[cuda,cudnn]",
                    why="brings the CUDA libraries that ONNX Runtime needs",
                    upgrade=True,
                    keeps_torch=True,
                ),
            ),
        )


@check("ort-cuda-libs", "The CUDA provider finds its libraries", "onnxruntime")
def provider_libraries(environment: Environment) -> Iterator[Finding]:
    """A library that the CUDA provider needs cannot be found.

    Why: `Failed to create CUDAExecutionProvider` is only logged, and the session continues on the
    CPU. Cure: install the package with its CUDA libraries, and call `onnxruntime.preload_dlls()`.
    """
    linkage = need(environment.linkage, "libraries were not walked")
    if not linkage.provider_wants:
        raise Skipped("no CUDA provider is installed")
    if not linkage.provider_needs:
        return
    runtime = environment.builds.get("onnxruntime")
    yield finding(
        Level.ERROR if has_gpu(environment) else Level.WARN,
        f"the CUDA provider of ONNX Runtime lacks {listing(linkage.provider_needs)}",
        cause="the CUDA libraries of its major version are not installed",
        evidence={
            "libonnxruntime_providers_cuda.so": listing(linkage.provider_needs, 12),
            "built for CUDA": runtime.cuda if runtime else "unknown",
        },
        fixes=(
            install(
                environment,
                f"onnxruntime-gpu[cuda,cudnn]{_same_version(environment)}",
                why="brings them as packages; then call onnxruntime.preload_dlls()",
                keeps_torch=True,
            ),
        ),
        explains=("deep-onnxruntime:CUDAExecutionProvider",),
        links=("https://github.com/microsoft/onnxruntime/issues/21684",),
    )


def _same_version(environment: Environment) -> str:
    version = environment.packages.get("onnxruntime-gpu", "")
    return f"=={version}" if version else ""
