"""Do the installed versions fit what the packages declare."""

from __future__ import annotations

from collections.abc import Iterator

from diagnostics.dependencies import Lack, unmet
from diagnostics.environment import Environment
from diagnostics.finding import Finding, Level
from diagnostics.finding_builders import finding, listing
from diagnostics.install_commands import install
from diagnostics.registry import check

CORE = ("torch", "torchvision", "torchaudio", "transformers")
"""Packages that do not work at all when a dependency is wrong."""


@check("dependency-unmet", "Declared dependencies are installed", "versions")
def dependency_unmet(environment: Environment) -> Iterator[Finding]:
    """A package's declared dependency is missing or in a version that it refuses.

    Why: imports fail, or worse, work until a function is called.
    Cure: install the wanted range.
    """
    by_name: dict[str, list[Lack]] = {}
    for lack in unmet(environment):
        by_name.setdefault(lack.name, []).append(lack)
    for name, lacks in by_name.items():
        owners = [f"{lack.owner} {lack.owner_version}" for lack in lacks]
        found = f"{lacks[0].found} is installed" if lacks[0].found else "it is not installed"
        core = any(lack.owner in CORE or lack.owner == "cuda-toolkit" for lack in lacks)
        ranges = dict.fromkeys(lack.wanted.removeprefix(name) for lack in lacks)
        wanted = name + ",".join(part for part in ranges if part)
        yield finding(
            Level.ERROR if core else Level.WARN,
            f"{listing(owners)} {'ask' if len(lacks) > 1 else 'asks'} for {wanted}, {found}",
            subject=name,
            cause="installed with --no-deps, or changed by a later install",
            evidence={
                **{f"{lack.owner} Requires-Dist": lack.wanted for lack in lacks[:3]},
                name: lacks[0].found or "absent",
            },
            fixes=(install(environment, wanted, why="brings a version that they take"),),
            explains=tuple(dict.fromkeys(f"deep-import:{lack.owner}" for lack in lacks)),
        )
