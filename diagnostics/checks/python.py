"""Checks the interpreter, its packages' metadata, and which copy of a package it imports."""

from __future__ import annotations

from collections.abc import Iterator

from diagnostics.environment import Environment
from diagnostics.finding import Finding, Fix, Level
from diagnostics.finding_builders import by_hand, export, finding, listing
from diagnostics.install_commands import in_turn, install, remove
from diagnostics.records import Distribution
from diagnostics.registry import Skipped, check
from diagnostics.tables import torch_releases
from diagnostics.version import allows, version_key


@check("python-has-no-wheel", "torch has wheels for this Python", "python")
def python_has_no_wheel(environment: Environment) -> Iterator[Finding]:
    """No torch wheel exists for this Python: it is too old or too new.

    Why: installers report `No matching distribution found for torch`. Cure: an environment with a
    Python that the wanted torch was built for.
    """
    parts = environment.python.version.split(".")
    if len(parts) < 2 or not parts[1].isdigit():
        raise Skipped("the Python's version is not known")
    minor = (int(parts[0]), int(parts[1]))
    oldest, newest = torch_releases.NEWEST.python
    if "torch" in environment.packages or oldest <= minor <= newest:
        return
    usable = torch_releases.newest_for(minor)
    if minor > newest:
        level, news = Level.WARN, "newer than every Python in the table"
    elif usable:
        level, news = Level.INFO, f"torch {usable.torch} is the newest with a wheel for it"
    else:
        level, news = Level.ERROR, "no torch wheel exists for it"
    best = f"{newest[0]}.{newest[1]}"
    yield finding(
        level,
        f"Python {environment.python.version}: {news}",
        cause=f"torch {torch_releases.NEWEST.torch} has wheels for Python "
        f"{oldest[0]}.{oldest[1]} to {best} (table of {torch_releases.DATED})",
        evidence={environment.python.executable: environment.python.version},
        fixes=(
            Fix(
                argv=("uv", "venv", "--python", best, ".venv"),
                why="makes an environment with a Python that has wheels",
            ),
        ),
    )


@check("requires-python", "Installed packages accept this Python", "python")
def requires_python(environment: Environment) -> Iterator[Finding]:
    """A package declares that it does not support this Python.

    Why: it was installed by force, or the environment was created for another Python. Cure: install
    a version of it for this Python.
    """
    version = environment.python.version
    bad = [
        item
        for item in environment.distributions
        if item.requires_python and version and not allows(item.requires_python, version)
    ]
    if bad:
        names = [f"{item.name} {item.version} ({item.requires_python})" for item in bad]
        yield finding(
            Level.ERROR,
            f"Python {version} is refused by {listing(names)}",
            cause="the package's metadata exclude this Python",
            evidence={
                item.directory: f"Requires-Python {item.requires_python}" for item in bad[:3]
            },
            fixes=(
                install(
                    environment,
                    *(f"{item.name}!={item.version}" for item in bad),
                    why="lets the installer pick versions for this Python",
                ),
            ),
        )


@check("pep668", "Installs are allowed here", "python")
def pep668(environment: Environment) -> Iterator[Finding]:
    """The interpreter belongs to the operating system and refuses installs.

    Why: installers stop with `error: externally-managed-environment`. Cure: create a virtual
    environment.
    """
    marker = environment.python.externally_managed
    if marker:
        yield finding(
            Level.INFO,
            "this Python belongs to the operating system: installs into it are refused",
            cause="the distribution marks it EXTERNALLY-MANAGED (PEP 668)",
            evidence={marker: "present"},
            fixes=(
                Fix(
                    argv=(environment.python.executable, "-m", "venv", ".venv"),
                    why="makes a virtual environment; install into that",
                ),
            ),
        )


@check("glibc-too-old", "The C library is new enough", "python")
def glibc_too_old(environment: Environment) -> Iterator[Finding]:
    """The C library is older than the one the wheels were built for, or is not glibc.

    Why: installers skip such wheels (`from versions: ...` lists only old ones), and libraries
    installed by force do not load. Cure: a newer distribution or container, or an older torch.
    """
    family, _, version = environment.python.libc.partition(" ")
    if environment.python.manylinux_veto:
        yield finding(
            Level.WARN,
            "a _manylinux.py tells installers to refuse wheels",
            cause="the hook of PEP 600 can hide every recent wheel",
            evidence={environment.python.manylinux_veto: "present"},
            fixes=(
                by_hand(
                    f"mv {environment.python.manylinux_veto} "
                    f"{environment.python.manylinux_veto}.off",
                    "lets installers judge by the real C library",
                ),
            ),
        )
    if environment.system.system != "Linux" or not family:
        return
    if family in ("glibc", "libc") and version and not allows(">=2.28", version):
        yield finding(
            Level.ERROR,
            f"glibc {version} is too old for current torch wheels (2.28)",
            cause="torch >= 2.7 is built for manylinux_2_28",
            evidence={"libc": environment.python.libc},
            fixes=(
                by_hand(
                    f"{environment.python.executable} -m pip install 'torch<2.7' torchvision",
                    "the last series for manylinux2014; or use a newer distribution or container",
                ),
            ),
        )
    elif family not in ("glibc", "libc"):
        yield finding(
            Level.ERROR,
            f"{family} is not glibc: there are no torch wheels for it",
            cause="PyTorch publishes manylinux wheels only",
            evidence={"libc": environment.python.libc},
            fixes=(by_hand("use a Debian or Ubuntu based image", "brings glibc"),),
        )


@check("user-site-or-pythonpath-shadow", "Each package is installed once on the path", "python")
def shadowed_distribution(environment: Environment) -> Iterator[Finding]:
    """A package is installed in two folders of the search path in different versions.

    Why: the first one wins, often from the user site or PYTHONPATH, and is mixed with files of the
    other: `module 'torch._C' has no attribute ...`. Cure: remove one, or set PYTHONNOUSERSITE=1.
    """
    seen: dict[str, list[Distribution]] = {}
    for item in environment.distributions:
        seen.setdefault(item.name, []).append(item)
    for name, found in seen.items():
        if len({item.version for item in found}) < 2:
            continue
        first, second = found[0], next(item for item in found if item.version != found[0].version)
        place = place_of(environment, first.directory)
        cause, level, fixes = _hidden(environment, first, second, place)
        yield finding(
            level,
            f"{name} is installed twice: {first.version} hides {second.version}",
            subject=name,
            cause=cause,
            evidence={item.directory: item.version for item in (first, second)},
            fixes=fixes,
            explains=(
                f"extension-misbuilt:{name}",
                f"deep-import:{name}",
                f"dependency-unmet:{name}",
            )
            if place in ("PYTHONPATH", "user site")
            else (),
        )


def place_of(environment: Environment, directory: str) -> str:
    """Return what kind of folder contains a metadata folder: `PYTHONPATH`, `user site`, `environment`, `base`."""
    folder = directory.rpartition("/")[0]
    python = environment.python
    if folder in environment.variables.get("PYTHONPATH", "").split(":"):
        return "PYTHONPATH"
    if folder == python.user_site:
        return "user site"
    return "environment" if folder.startswith(f"{python.prefix}/") else "base"


def _hidden(
    environment: Environment, first: Distribution, second: Distribution, place: str
) -> tuple[str, Level, tuple[Fix, ...]]:
    """Return (cause, level, fixes) of a package that is installed twice on the search path."""
    name = first.name
    hidden_in = place_of(environment, second.directory)
    if first.directory.rpartition("/")[0] == second.directory.rpartition("/")[0]:
        return "an interrupted upgrade", Level.WARN, (_leave_one(environment, first, second),)
    if place == "user site" or place == "PYTHONPATH":
        misbuilt = environment.linkage.misbuilt if environment.linkage else ()
        folder = first.directory.rpartition("/")[0]
        serious = (
            name in ("torch", "torchvision")
            or (name == "numpy" and place == "user site")
            or any(row.path.startswith(f"{folder}/{name}") for row in misbuilt)
        )
        line = "export PYTHONNOUSERSITE=1" if place == "user site" else "unset PYTHONPATH"
        fix = export(line, f"leaves the {place} out")
        cause = f"the {place} is searched before the environment"
        return cause, Level.ERROR if serious else Level.WARN, (fix,)
    if hidden_in in ("base", "user site"):
        # What an environment with --system-site-packages, or /usr/local before /usr, is for.
        return "the environment overrides what it inherits", Level.INFO, ()
    fix = remove(environment, name, why="takes the first one away; the other one is then used")
    return "two folders of the search path", Level.WARN, (fix,)


def _leave_one(environment: Environment, first: Distribution, second: Distribution) -> Fix:
    """Return the command that removes both records, since pip removes one at a time, and then installs one."""
    kept = max((first, second), key=lambda item: version_key(item.version))
    gone = remove(environment, first.name, why="")
    again = install(environment, f"{kept.name}=={kept.version}", why="", dependencies=False)
    twice = (gone, gone) if gone.argv[:2] != ("uv", "pip") else (gone,)
    return in_turn(*twice, again, why=f"removes both records, then installs {kept.version}")


@check("broken-metadata", "Package metadata can be read", "python")
def broken_metadata(environment: Environment) -> Iterator[Finding]:
    """A metadata folder lacks METADATA, Name or Version.

    Why: installers refuse to change such a package, and dependency checks do not see it. Cure:
    remove the folder and install the package again.
    """
    for item in environment.distributions:
        if not item.flaw:
            continue
        yield finding(
            Level.WARN,
            f"the metadata of {item.name} cannot be used",
            subject=item.name,
            cause="an interrupted install or uninstall",
            evidence={item.directory: item.flaw},
            fixes=(by_hand(f"rm -r {item.directory}", "then install the package again"),),
        )
