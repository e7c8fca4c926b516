"""Checks whether conda and pip agree on which of them installed torch."""

from __future__ import annotations

from collections.abc import Iterator

from diagnostics.checks.libraries import TORCH_TRIALS
from diagnostics.environment import Environment
from diagnostics.finding import Finding, Fix, Level
from diagnostics.finding_builders import finding
from diagnostics.registry import Skipped, check
from diagnostics.version import allows


@check("conda-pip-mix", "torch has one installer", "libraries")
def conda_pip_mix(environment: Environment) -> Iterator[Finding]:
    """Conda's record and pip's metadata both claim torch.

    Why: pip has replaced files that conda's libraries expect: `libtorch_cuda_cu.so: cannot open
    shared object file`. Cure: remove conda's, then use one installer.
    """
    owned = [item for item in environment.conda if item.name in ("pytorch", "libtorch")]
    torch = [item for item in environment.distributions if item.name == "torch"]
    if not environment.conda:
        raise Skipped("no conda environment")
    for package in owned:
        for item in torch:
            replaced = item.installer not in ("", "conda")
            other = not item.installer and item.version.split("+")[0] != package.version
            if replaced or other:
                yield finding(
                    Level.ERROR,
                    f"conda has {package.name} {package.version}, "
                    f"{item.installer or 'pip'} has torch {item.version}",
                    cause="torch was installed over conda's",
                    evidence={
                        f"conda-meta/{package.name}": package.version,
                        item.directory: f"INSTALLER {item.installer}",
                    },
                    fixes=(
                        Fix(
                            argv=(
                                "conda",
                                "remove",
                                "-y",
                                "--force",
                                "-p",
                                environment.python.prefix,
                                package.name,
                            ),
                            why="takes conda's record out; then reinstall torch with pip",
                        ),
                    ),
                    explains=TORCH_TRIALS,
                )
                return


@check("conda-mkl-ijit", "MKL fits conda's torch", "libraries")
def conda_mkl(environment: Environment) -> Iterator[Finding]:
    """Conda's MKL is too new for conda's torch.

    Why: MKL 2024.1 dropped a symbol: `undefined symbol: iJIT_NotifyEvent`.
    Cure: an older MKL, or a newer torch.
    """
    by_name = {item.name: item.version for item in environment.conda}
    mkl, torch = by_name.get("mkl", ""), by_name.get("pytorch", "")
    if not mkl or not torch:
        raise Skipped("no conda torch with MKL")
    if allows(">=2024.1", mkl) and allows("<2.4", torch):
        yield finding(
            Level.ERROR,
            f"conda's MKL {mkl} does not fit torch {torch}",
            cause="libtorch_cpu.so asks for iJIT_NotifyEvent, which MKL 2024.1 dropped",
            evidence={"conda-meta/mkl": mkl, "conda-meta/pytorch": torch},
            fixes=(
                Fix(
                    argv=("conda", "install", "-y", "-p", environment.python.prefix, "mkl<2024.1"),
                    why="brings the last MKL that has the symbol",
                ),
            ),
            explains=TORCH_TRIALS,
            links=("https://github.com/pytorch/pytorch/issues/123097",),
        )
