"""Checks the installed versions against the dependencies that packages declare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from diagnostics.checks.python import place_of
from diagnostics.dependencies import Lack, unmet
from diagnostics.environment import Environment
from diagnostics.finding import Finding, Fix, Level
from diagnostics.finding_builders import finding, listing
from diagnostics.install_commands import install
from diagnostics.packages import twins_of
from diagnostics.registry import check
from diagnostics.requirement import normalise
from diagnostics.torch_build_choice import index_of
from diagnostics.version import parse, try_parse

CORE = ("torch", "torchvision", "torchaudio", "transformers", "cuda-toolkit")
"""Packages that do not work at all when a dependency is wrong."""


@check("dependency-unmet", "Declared dependencies are installed", "versions")
def dependency_unmet(environment: Environment) -> Iterator[Finding]:
    """A package's declared dependency is missing, or its version is out of the declared range.

    Why: imports fail, or succeed until a function is called. Cure: install the declared range; if a
    package lacks several dependencies, all of them at once.
    """
    lacks = [lack for lack in unmet(environment) if not _served(environment, lack)]
    for owner in _short_of_several(environment, lacks):
        mine = [lack for lack in lacks if _head(lack.owner, environment) == owner]
        names = {lack.name for lack in mine}
        yield _several(environment, owner, list({lack.name: lack for lack in mine}.values()))
        lacks = [lack for lack in lacks if lack.name not in names]
    by_name: dict[str, list[Lack]] = {}
    for lack in lacks:
        by_name.setdefault(lack.name, []).append(lack)
    for rows in by_name.values():
        yield _one(environment, rows)


def _short_of_several(environment: Environment, lacks: list[Lack]) -> Iterator[str]:
    """Return the packages that lack two or more dependencies, the one that lacks most first; each
    name counts once.

    Reinstalling it also brings what the others lack.
    """
    rest = list(lacks)
    while rest:
        names: dict[str, set[str]] = {}
        for lack in rest:
            if lack.owner in environment.packages:
                names.setdefault(_head(lack.owner, environment), set()).add(lack.name)
        owner = max(names, key=lambda name: (len(names[name]), name == "torch"), default="")
        if not owner or len(names[owner]) < 2:
            return
        yield owner
        rest = [lack for lack in rest if lack.name not in names[owner]]


def _head(owner: str, environment: Environment) -> str:
    """Return the package that a user installs: CUDA's toolkit belongs to torch's installation."""
    return "torch" if owner == "cuda-toolkit" and "torch" in environment.packages else owner


def _served(environment: Environment, lack: Lack) -> bool:
    """Return True when another package provides the modules: conda's, or a twin of the wanted one."""
    if lack.found:
        return False
    conda = {normalise(item.name) for item in environment.conda}
    if _owner_is_condas(environment, lack) and (
        lack.name in conda or lack.name.startswith(("nvidia-", "cuda-"))
    ):
        return True  # conda has CUDA's libraries under names of its own
    return any(name in environment.packages for name in twins_of(lack.name))


def _owner_is_condas(environment: Environment, lack: Lack) -> bool:
    return any(d.name == lack.owner and d.installer == "conda" for d in environment.distributions)


def _level(environment: Environment, lacks: Iterable[Lack]) -> Level:
    return max((_level_of(environment, lack) for lack in lacks), key=lambda level: level.rank)


def _level_of(environment: Environment, lack: Lack) -> Level:
    if _owner_is_condas(environment, lack):
        # conda's solver goes by its own records, not by the wheel's.
        return Level.INFO if lack.found else Level.WARN
    if lack.found and lack.name.startswith("nvidia-") and _is_newer(lack):
        return Level.WARN
    owner = next((d for d in environment.distributions if d.name == lack.owner), None)
    inherited = owner is not None and place_of(environment, owner.directory) == "base"
    if inherited and lack.found and environment.python.prefix != environment.python.base_prefix:
        return Level.WARN
    return Level.ERROR if lack.owner in CORE else Level.WARN


def _is_newer(lack: Lack) -> bool:
    """Return True for a newer release of the pinned major version, which NVIDIA keeps compatible."""
    _, sign, bound = lack.wanted.partition("==")
    pinned, found = try_parse(bound.removesuffix(".*")), try_parse(lack.found)
    if not sign or pinned is None or found is None:
        return False
    return found > parse(pinned.public.text) and found.release[0] == pinned.release[0]


def _one(environment: Environment, lacks: list[Lack]) -> Finding:
    """Return the finding for one dependency that one or several packages require."""
    name = lacks[0].name
    owners = [f"{lack.owner} {lack.owner_version}" for lack in lacks]
    found = f"{lacks[0].found} is installed" if lacks[0].found else "it is not installed"
    ranges = dict.fromkeys(lack.wanted.removeprefix(name) for lack in lacks)
    wanted = name + ",".join(part for part in ranges if part)
    level = _level(environment, lacks)
    newer = level is Level.WARN and any(_is_newer(lack) for lack in lacks)
    return finding(
        level,
        f"{listing(owners)} {'ask' if len(lacks) > 1 else 'asks'} for {wanted}, {found}",
        subject=name,
        cause="a newer release of the library was put in: fine where it was meant"
        if newer
        else "installed with --no-deps, or changed by a later install",
        evidence={
            **{f"{lack.owner} Requires-Dist": lack.wanted for lack in lacks[:3]},
            name: lacks[0].found or "absent",
        },
        fixes=(install(environment, wanted, why="brings a version that they take"),),
        explains=tuple(dict.fromkeys(f"deep-import:{lack.owner}" for lack in lacks)),
    )


def _several(environment: Environment, owner: str, lacks: list[Lack]) -> Finding:
    """Return one finding, with one command, for several missing dependencies of a package."""
    version = environment.packages[owner]
    names = [lack.name for lack in lacks]
    absent = [lack.name for lack in lacks if not lack.found]
    what = "are not installed" if len(absent) == len(names) else "are missing or of another version"
    trials = ("deep-*",) if owner == "torch" else (f"deep-import:{owner}",)
    return finding(
        _level(environment, lacks),
        f"{len(names)} packages that {owner} {version} asks for {what}: {listing(names)}",
        subject=owner,
        cause=f"{owner} was installed with --no-deps, or they were removed or changed later",
        evidence={lack.wanted: lack.found or "absent" for lack in lacks[:6]},
        fixes=(_complete(environment, owner, version),),
        explains=(
            *trials,
            *(f"dependency-unmet:{name}" for name in names),
            f"nvidia-lib-missing:{owner}",
            "nvidia-lib-missing:nvidia-*",
            f"library-missing:{owner}",
            *(("nvidia-lib-missing:torchvision",) if owner == "torch" else ()),
        ),
    )


def _complete(environment: Environment, owner: str, version: str) -> Fix:
    """Requiring the installed version again makes an installer add only what is missing."""
    return install(
        environment,
        f"{owner}=={version}",
        why=f"leaves {owner} as it is and brings what it asks for",
        variant=index_of(environment, owner),
    )
